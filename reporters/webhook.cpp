// SPDX-License-Identifier: Apache-2.0
#include "reporters/webhook.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/base/thread.h"
#include "reporters/patient_write.h"
#include "reporters/webhook_delivery.h"
#include "reporters/webhook_message.h"
#include "reporters/webhook_signature.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <random>
#include <utility>

namespace belay::reporters {

namespace {

struct Message {
  std::string id;
  std::string body;
};

std::string unix_seconds(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time.time_since_epoch());
  return std::to_string(seconds.count());
}

} // namespace

/// What the reporter and its thread share. The thread holds it too.
struct WebhookReporter::Shared {
  Shared(const WebhookOptions& the_options, WebhookWorld the_world)
      : options(the_options), world(std::move(the_world)), url(parse_web_url(options.url)),
        proxy(proxy_for(url, world.environment)) {
    if (url.scheme != "https" && !options.allow_http)
      throw Error(ErrorKind::usage,
                  url.endpoint() + ": webhooks go over https; allowHttp: true allows http");
    for (const std::string& secret : options.secrets)
      keys.push_back(webhook_key(secret));
  }

  void serve();
  void deliver(const Message& message);
  bool wait_for_attempt(Duration delay);
  HttpResponse attempt(const Message& message);
  Instant last_moment();
  void tell(event::Draft draft);
  void tell_delivered(const Message& message, int attempts, const HttpResponse& response);
  void tell_failed(const Message& message, int attempts, const HttpResponse& response,
                   const std::string& why);

  const WebhookOptions options;
  const WebhookWorld world;
  const WebUrl url;
  const std::optional<WebUrl> proxy;
  std::vector<std::string> keys;
  CancelSource stop;

  /// Held while world.tell is called; apart from `mutex`, so that it may end in report().
  std::mutex tell_mutex;
  bool silent = false; ///< guarded by tell_mutex: the reporter is gone, and who listened may be

  std::mutex mutex; ///< guards all below
  std::condition_variable changed;
  std::deque<Message> queue;
  bool busy = false;
  bool disabled = false; ///< the endpoint said 410
  bool stopping = false;
  bool exited = false;
  std::optional<Instant> run_over_by; ///< set by run.finished: nothing is attempted after it
  int lost_after_run = 0;
  std::string last_problem;
};

void WebhookReporter::Shared::serve() {
  block_sigpipe();
  std::unique_lock lock(mutex);
  for (;;) {
    changed.wait(lock, [this] { return stopping || !queue.empty(); });
    if (stopping)
      break;
    const Message message = std::move(queue.front());
    queue.pop_front();
    busy = true;
    lock.unlock();
    deliver(message);
    lock.lock();
    busy = false;
    changed.notify_all();
  }
  exited = true;
  changed.notify_all();
}

void WebhookReporter::Shared::deliver(const Message& message) {
  HttpResponse response;
  response.error = "no time was left";
  int attempts = 0;
  for (const Duration longest : attempt_delays) {
    const Duration drawn = attempts == 0 ? Duration::zero() : world.jitter(longest);
    if (!wait_for_attempt(std::max(drawn, response.retry_after.value_or(Duration::zero()))))
      break;
    response = attempt(message);
    ++attempts;
    switch (judge_response(response)) {
    case Delivery::done:
      return tell_delivered(message, attempts, response);
    case Delivery::again:
      continue;
    case Delivery::gone: {
      const std::lock_guard lock(mutex);
      disabled = true;
      queue.clear();
      [[fallthrough]];
    }
    case Delivery::refused:
      return tell_failed(message, attempts, response, describe_response(response));
    }
  }
  tell_failed(message, attempts, response, describe_response(response));
}

/// False where the budget does not reach that far.
bool WebhookReporter::Shared::wait_for_attempt(Duration delay) {
  std::unique_lock lock(mutex);
  const Instant when = BootClock::now() + delay;
  for (;;) {
    if (stopping || (run_over_by && std::max(when, BootClock::now()) >= *run_over_by))
      return false;
    const auto left = when - BootClock::now();
    if (left <= Duration::zero())
      return true;
    changed.wait_for(lock, left);
  }
}

Instant WebhookReporter::Shared::last_moment() {
  const std::lock_guard lock(mutex);
  return run_over_by.value_or(Instant::max());
}

HttpResponse WebhookReporter::Shared::attempt(const Message& message) {
  const std::string timestamp = unix_seconds(world.wall());
  HttpRequest request;
  request.url = url;
  request.proxy = proxy;
  request.body = message.body;
  request.connect_timeout = options.connect_timeout;
  request.headers = {{"webhook-id", message.id},
                     {"webhook-timestamp", timestamp},
                     {"User-Agent", options.user_agent}};
  if (!keys.empty())
    request.headers.emplace_back("webhook-signature",
                                 webhook_signature(keys, message.id, timestamp, message.body));
  const Wait wait{std::min(last_moment(), BootClock::now() + options.total_timeout), stop.token()};
  try {
    return world.http->post(request, wait);
  } catch (const std::exception& error) {
    HttpResponse response;
    response.error = error.what();
    return response;
  }
}

void WebhookReporter::Shared::tell(event::Draft draft) {
  const std::lock_guard lock(tell_mutex);
  if (!silent && world.tell)
    world.tell(std::move(draft));
}

void WebhookReporter::Shared::tell_delivered(const Message& message, int attempts,
                                             const HttpResponse& response) {
  tell({event::WebhookDelivered{url.endpoint(), message.id, attempts, response.status},
        {},
        event::Level::debug,
        ""});
}

void WebhookReporter::Shared::tell_failed(const Message& message, int attempts,
                                          const HttpResponse& response, const std::string& why) {
  {
    const std::lock_guard lock(mutex);
    lost_after_run += run_over_by ? 1 : 0;
    last_problem = why;
  }
  event::WebhookFailed failed{url.endpoint(), message.id, attempts, std::nullopt, why};
  if (response.status != 0)
    failed.status = response.status;
  tell({std::move(failed), {}, event::Level::warn, ""});
}

WebhookReporter::WebhookReporter(const WebhookOptions& options, WebhookWorld world)
    : shared_(std::make_shared<Shared>(options, std::move(world))),
      thread_(start_thread("a webhook", [shared = shared_] { shared->serve(); })) {}

WebhookReporter::~WebhookReporter() {
  std::unique_lock lock(shared_->mutex);
  shared_->stopping = true;
  shared_->stop.cancel();
  shared_->changed.notify_all();
  // A name look-up cannot be stopped. It gets a moment; then the thread, which holds all that it
  // needs but for whom it tells, is left to the end of the process.
  const bool exited =
      shared_->changed.wait_for(lock, std::chrono::seconds(1), [this] { return shared_->exited; });
  lock.unlock();
  if (exited) {
    thread_.join();
    return;
  }
  thread_.detach();
  const std::lock_guard tell_lock(shared_->tell_mutex); // a tell under way ends first
  shared_->silent = true;
}

std::string WebhookReporter::name() const {
  return "webhook " + shared_->url.endpoint();
}

void WebhookReporter::report(const event::Event& event, const event::RunState& state) {
  const bool wanted = is_wanted(event, shared_->options.events);
  Message message;
  if (wanted)
    message = {webhook_id(event), webhook_body(event, state)};
  std::unique_lock lock(shared_->mutex);
  if (std::holds_alternative<event::RunFinished>(event.payload))
    shared_->run_over_by = BootClock::now() + (state.cancel ? shared_->options.cancelled_budget
                                                            : shared_->options.budget);
  shared_->changed.notify_all();
  if (!wanted || shared_->disabled)
    return;
  if (shared_->queue.size() < shared_->options.queue_limit) {
    shared_->queue.push_back(std::move(message));
    return;
  }
  lock.unlock();
  shared_->tell_failed(message, 0, {}, "the queue is full");
}

void WebhookReporter::finish(Instant deadline) {
  std::unique_lock lock(shared_->mutex);
  const Instant now = BootClock::now();
  const Instant budget = shared_->run_over_by.value_or(now + shared_->options.budget);
  const auto idle = [this] { return shared_->queue.empty() && !shared_->busy; };
  // A little more than the budget, so that the thread itself can say what it gave up.
  const Instant until = std::min(deadline, budget + std::chrono::milliseconds(500));
  shared_->changed.wait_for(lock, std::max(until - now, Duration::zero()), idle);
  const int lost =
      shared_->lost_after_run + static_cast<int>(shared_->queue.size()) + (shared_->busy ? 1 : 0);
  if (lost > 0)
    throw Error(
        ErrorKind::system,
        std::to_string(lost) + " messages were not delivered" +
            (shared_->last_problem.empty() ? std::string() : " (" + shared_->last_problem + ")"));
}

WebhookWorld real_webhook_world(std::uint64_t seed, std::function<void(event::Draft)> tell) {
  WebhookWorld world;
  world.http = std::make_shared<HttplibPost>();
  world.wall = [] { return SystemClock().wall(); };
  world.jitter = [engine = std::mt19937_64(seed)](Duration longest) mutable {
    return Duration(std::uniform_int_distribution<Duration::rep>(0, longest.count())(engine));
  };
  world.tell = std::move(tell);
  return world;
}

} // namespace belay::reporters
