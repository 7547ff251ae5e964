// SPDX-License-Identifier: Apache-2.0
#include "reporters/webhook.h"

#include "engine/base/error.h"
#include "engine/event/event_json.h"
#include "reporters/webhook_delivery.h"
#include "reporters/webhook_message.h"
#include "reporters/webhook_signature.h"
#include "tests/catch.h"
#include "tests/unit/reporters/sample_events.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

using namespace belay;
using namespace belay::reporters;
using namespace belay::test;
using namespace std::chrono_literals;
using event::Outcome;
using nlohmann::json;

namespace {

const std::string secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

HttpResponse status(int code, std::optional<Duration> retry_after = {}) {
  return {code, "", retry_after};
}

/// An endpoint that answers as it was told to (at last 200), and can be made to hold its breath.
class FakeHttp final : public HttpPost {
public:
  HttpResponse post(const HttpRequest& request, const Wait& wait) override {
    std::unique_lock lock(mutex_);
    requests_.push_back(request);
    changed_.notify_all();
    while (held_ && !wait.cancel.cancelled() && !wait.expired())
      changed_.wait_for(lock, 5ms);
    if (answers_.empty())
      return status(200);
    const HttpResponse answer = answers_.front();
    answers_.pop_front();
    return answer;
  }
  void answer(std::initializer_list<HttpResponse> answers) { answers_ = answers; }
  void hold(bool on) {
    const std::lock_guard lock(mutex_);
    held_ = on;
    changed_.notify_all();
  }
  void await_requests(std::size_t number) {
    std::unique_lock lock(mutex_);
    REQUIRE(changed_.wait_for(lock, 20s, [&] { return requests_.size() >= number; }));
  }
  std::vector<HttpRequest> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<HttpRequest> requests_;
  std::deque<HttpResponse> answers_;
  bool held_ = false;
};

struct Fixture {
  std::shared_ptr<FakeHttp> http = std::make_shared<FakeHttp>();
  WebhookOptions options;
  std::mutex mutex;
  std::vector<event::Draft> told;
  std::vector<Duration> drawn;
  event::RunState state;
  std::uint64_t sequence = 0;
  std::unique_ptr<WebhookReporter> reporter;

  Fixture() {
    options.url = "https://hooks.example/T0/secret-path";
    options.secrets = {secret};
    options.events = {"*"};
  }
  void open() {
    WebhookWorld world;
    world.http = http;
    world.wall = [] { return WallTime(1614265330s); };
    world.jitter = [this](Duration longest) {
      drawn.push_back(longest);
      return Duration::zero();
    };
    world.tell = [this](event::Draft draft) {
      const std::lock_guard lock(mutex);
      told.push_back(std::move(draft));
    };
    world.environment = [](const std::string&) { return std::nullopt; };
    reporter = std::make_unique<WebhookReporter>(options, std::move(world));
  }
  void tell(event::Payload payload) {
    const event::Event event = sample(std::move(payload), {"web-1", "", {}, 0}, "", ++sequence);
    event::fold(state, event);
    reporter->report(event, state);
  }
  /// The problem that finish tells of; empty = none.
  std::string finish() {
    try {
      reporter->finish(BootClock::now() + 20s);
    } catch (const Error& error) {
      return error.message();
    }
    return "";
  }
};

std::string header(const HttpRequest& request, const std::string& name) {
  for (const auto& [key, value] : request.headers)
    if (key == name)
      return value;
  return "";
}

} // namespace

TEST_CASE("the signature is the standard's, and moves with every byte") {
  const std::vector<std::string> keys{webhook_key(secret)};
  const std::string id = "msg_p5jXN8AQM9LWM0D4loKWxJek", body = R"({"test": 2432232314})";
  const std::string good = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
  CHECK(webhook_signature(keys, id, "1614265330", body) == good);
  CHECK(webhook_signature(keys, id, "1614265331", body) != good);
  CHECK(webhook_signature(keys, id, "1614265330", body + " ") != good);
  CHECK(webhook_signature(keys, id + "x", "1614265330", body) != good);
  const std::string other = webhook_key("whsec_" + std::string(32, 'A'));
  CHECK(webhook_signature({other}, id, "1614265330", body) != good);
  CHECK(webhook_signature({keys[0], other}, id, "1614265330", body).starts_with(good + " v1,"));
}

TEST_CASE("what is no secret is refused and not shown") {
  for (const std::string& text :
       {std::string(), std::string("whsec_"), std::string("whsec_c2hvcnQ="),
        std::string("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "whsec_" + std::string(32, '!'),
        "whsec_" + std::string(100, 'A'), "whsec_" + std::string(10'000, 'A')}) {
    INFO(text);
    try {
      webhook_key(text);
      FAIL("was accepted");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::secret);
      CHECK((text.size() < 8 || error.message().find(text.substr(6)) == std::string::npos));
    }
  }
  CHECK(webhook_key(secret + "\n").size() == 24);
}

TEST_CASE("globs") {
  CHECK(matches_glob("run.*", "run.started"));
  CHECK(matches_glob("*", ""));
  CHECK(matches_glob("*.fin*ed", "node.finished"));
  CHECK(matches_glob("node.??????ed", "node.finished"));
  CHECK_FALSE(matches_glob("run.*", "node.run.x"));
  CHECK_FALSE(matches_glob("node", "node.finished"));
  CHECK_FALSE(matches_glob("node.finished?", "node.finished"));
}

TEST_CASE("which events are sent") {
  using event::LogLine;
  CHECK(is_wanted(sample(event::RunStarted{}), {}));
  CHECK(is_wanted(sample(event::RunFinished{}), {}));
  CHECK(is_wanted(sample(event::NodeRolledBack{}), {}));
  CHECK(is_wanted(sample(node_end(Outcome::failure)), {}));
  CHECK_FALSE(is_wanted(sample(node_end(Outcome::success)), {}));
  CHECK_FALSE(is_wanted(sample(event::StageStarted{}), {}));
  CHECK(is_wanted(sample(node_end(Outcome::success)), {"run.*", "node.*"}));
  CHECK_FALSE(is_wanted(sample(event::StageStarted{}), {"run.*", "node.*"}));
  for (const char* glob : {"*", "log", "webhook.*"}) {
    CHECK_FALSE(is_wanted(sample(LogLine{}), {glob}));
    CHECK_FALSE(is_wanted(sample(event::WebhookFailed{}), {glob}));
  }
}

TEST_CASE("the body is the event; what is too long is cut and says so") {
  event::RunStarted started;
  started.trigger.url = "https://ci.example/7";
  const event::RunState state = folded({sample(started)});
  const json small = json::parse(webhook_body(sample(event::NodeQueued{}), state));
  CHECK(small["type"] == "belay.node.queued");
  CHECK(small["timestamp"] == "2026-03-01T12:00:00.000Z");
  CHECK(small["data"] == json::parse(event::to_json_line(sample(event::NodeQueued{}))));
  CHECK_FALSE(small.contains("truncated"));
  event::RunFinished huge;
  for (int i = 0; i < 500; ++i)
    huge.nodes.push_back({"node" + std::to_string(i), Outcome::failure, "activation-failed"});
  const std::string text = webhook_body(sample(huge), state);
  CHECK(text.size() <= webhook_body_limit);
  const json large = json::parse(text);
  REQUIRE(large.contains("truncated"));
  CHECK(large["truncated"] == true);
  CHECK(large["url"] == "https://ci.example/7");
  CHECK(large["data"]["data"]["nodes_omitted"] > 0);
  CHECK(large["data"]["data"]["nodes"].size() > 10);
}

TEST_CASE("what an answer means") {
  for (const int code : {200, 202, 204, 299})
    CHECK(judge_response(status(code)) == Delivery::done);
  for (const int code : {0, 408, 425, 429, 500, 502, 503, 504})
    CHECK(judge_response(status(code)) == Delivery::again);
  for (const int code : {100, 301, 302, 307, 308, 400, 401, 403, 404, 422})
    CHECK(judge_response(status(code)) == Delivery::refused);
  CHECK(judge_response(status(410)) == Delivery::gone);
}

TEST_CASE("messages are signed, in order, one after the other") {
  Fixture f;
  f.options.user_agent = "belay/0.1.0";
  f.open();
  for (int i = 0; i < 5; ++i)
    f.tell(event::NodeQueued{});
  f.tell(event::RunFinished{});
  CHECK(f.finish().empty());
  const auto requests = f.http->requests();
  REQUIRE(requests.size() == 6);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const std::string id = "0195510e-8c00-7000-8000-0123456789ab-" + std::to_string(i + 1);
    CHECK(header(requests[i], "webhook-id") == id);
    CHECK(header(requests[i], "webhook-timestamp") == "1614265330");
    CHECK(header(requests[i], "User-Agent") == "belay/0.1.0");
    CHECK(header(requests[i], "webhook-signature") ==
          webhook_signature({webhook_key(secret)}, id, "1614265330", requests[i].body));
  }
  CHECK(f.told.size() == 6);
  CHECK(std::get<event::WebhookDelivered>(f.told[0].payload).endpoint == "https://hooks.example");
}

TEST_CASE("what may pass is tried again with growing waits, and the id stays") {
  Fixture f;
  f.http->answer({status(500), status(0), status(429)});
  f.open();
  f.tell(event::NodeQueued{});
  f.tell(event::RunFinished{});
  CHECK(f.finish().empty());
  const auto requests = f.http->requests();
  REQUIRE(requests.size() == 5);
  CHECK(header(requests[3], "webhook-id") == header(requests[0], "webhook-id"));
  CHECK(header(requests[4], "webhook-id") != header(requests[0], "webhook-id"));
  CHECK(f.drawn == std::vector<Duration>{1s, 3s, 8s});
  CHECK(std::get<event::WebhookDelivered>(f.told[0].payload).attempts == 4);
}

TEST_CASE("after five attempts a message is given up and the next one is sent") {
  Fixture f;
  f.http->answer({status(503), status(503), status(503), status(503), status(503)});
  f.open();
  f.tell(event::NodeQueued{});
  f.tell(event::NodeQueued{});
  f.http->await_requests(6);
  f.tell(event::RunFinished{});
  CHECK(f.finish().empty()); // it was lost before the run ended, and that is in the events
  REQUIRE(f.told.size() == 3);
  const auto& failed = std::get<event::WebhookFailed>(f.told[0].payload);
  CHECK(failed.attempts == 5);
  CHECK(failed.status == 503);
  CHECK(failed.error == "HTTP 503");
  CHECK(std::holds_alternative<event::WebhookDelivered>(f.told[1].payload));
}

TEST_CASE("a refusal and a redirect are final") {
  Fixture f;
  f.http->answer({status(404), status(302)});
  f.open();
  f.tell(event::NodeQueued{});
  f.tell(event::NodeQueued{});
  f.tell(event::RunFinished{});
  f.finish();
  CHECK(f.http->requests().size() == 3);
  CHECK(std::get<event::WebhookFailed>(f.told[0].payload).status == 404);
  CHECK(std::get<event::WebhookFailed>(f.told[1].payload).status == 302);
}

TEST_CASE("410 ends it for this endpoint") {
  Fixture f;
  f.http->answer({status(410)});
  f.open();
  f.tell(event::NodeQueued{});
  f.http->await_requests(1);
  f.tell(event::RunFinished{});
  f.finish();
  for (int i = 0; i < 3; ++i)
    f.tell(event::NodeQueued{});
  f.finish();
  CHECK(f.http->requests().size() <= 2);
  CHECK(std::get<event::WebhookFailed>(f.told[0].payload).status == 410);
}

TEST_CASE("Retry-After is waited for, but not beyond the budget") {
  SECTION("within it") {
    Fixture f;
    f.http->answer({status(429, 200ms)});
    f.open();
    const Instant start = BootClock::now();
    f.tell(event::RunFinished{});
    CHECK(f.finish().empty());
    CHECK(BootClock::now() - start >= 200ms);
    CHECK(f.http->requests().size() == 2);
  }
  SECTION("beyond it") {
    Fixture f;
    f.http->answer({status(429, 1h)});
    f.open();
    const Instant start = BootClock::now();
    f.tell(event::RunFinished{});
    CHECK(f.finish() == "1 messages were not delivered (HTTP 429)");
    CHECK(BootClock::now() - start < 10s);
    CHECK(f.http->requests().size() == 1);
  }
}

TEST_CASE("an endpoint that does not answer delays nobody, and costs no more than the budget") {
  Fixture f;
  f.options.queue_limit = 10;
  f.options.cancelled_budget = 100ms;
  f.http->hold(true);
  f.open();
  const Instant start = BootClock::now();
  f.tell(event::NodeQueued{});
  f.http->await_requests(1);
  for (int i = 0; i < 100; ++i)
    f.tell(event::NodeQueued{});
  {
    const std::lock_guard lock(f.mutex);
    REQUIRE(f.told.size() == 90); // the queue is bounded, and what it lost is said
    CHECK(std::get<event::WebhookFailed>(f.told[0].payload).error == "the queue is full");
  }
  f.state.cancel = event::CancelRequested{};
  f.tell(event::RunFinished{});
  CHECK_FALSE(f.finish().empty());
  f.reporter.reset();
  CHECK(BootClock::now() - start < 10s);
}

TEST_CASE("who outlives its reporter in a look-up that cannot be stopped tells nobody any more") {
  struct Gate {
    std::mutex mutex;
    std::condition_variable changed;
    bool asked = false, open = false;
  };
  struct DeafHttp final : HttpPost {
    explicit DeafHttp(std::shared_ptr<Gate> the_gate) : gate(std::move(the_gate)) {}
    HttpResponse post(const HttpRequest&, const Wait&) override {
      std::unique_lock lock(gate->mutex);
      gate->asked = true;
      gate->changed.notify_all();
      gate->changed.wait(lock, [this] { return gate->open; });
      return status(200);
    }
    std::shared_ptr<Gate> gate;
  };
  const auto gate = std::make_shared<Gate>();
  const auto told = std::make_shared<std::atomic<int>>(0);
  const std::weak_ptr<DeafHttp> thread_is_there = [&] {
    const auto http = std::make_shared<DeafHttp>(gate);
    WebhookOptions options;
    options.url = "https://hooks.example/";
    WebhookWorld world;
    world.http = http;
    world.wall = [] { return WallTime(1614265330s); };
    world.tell = [told](const event::Draft&) { ++*told; };
    WebhookReporter reporter(options, std::move(world));
    reporter.report(sample(event::RunFinished{}), {});
    std::unique_lock lock(gate->mutex);
    gate->changed.wait(lock, [&] { return gate->asked; });
    return http;
  }();
  REQUIRE_FALSE(thread_is_there.expired());
  {
    const std::lock_guard lock(gate->mutex);
    gate->open = true;
    gate->changed.notify_all();
  }
  const Instant limit = BootClock::now() + 20s;
  while (!thread_is_there.expired() && BootClock::now() < limit)
    std::this_thread::yield();
  CHECK(thread_is_there.expired()); // the thread ended, and with it what it held
  CHECK(*told == 0);
}

TEST_CASE("what is sent to and said of an endpoint never holds the rest of its URL") {
  Fixture f;
  f.http->answer({status(404)});
  f.open();
  CHECK(f.reporter->name() == "webhook https://hooks.example");
  f.tell(event::NodeQueued{});
  f.tell(event::RunFinished{});
  f.finish();
  for (const event::Draft& draft : f.told)
    CHECK(event::to_json_line(sample(draft.payload)).find("secret") == std::string::npos);
}

TEST_CASE("http needs leave") {
  Fixture f;
  f.options.url = "http://hooks.example/secret-path";
  try {
    f.open();
    FAIL("was accepted");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    CHECK(error.message().find("secret") == std::string::npos);
  }
  f.options.allow_http = true;
  f.open();
}

TEST_CASE("without a secret there is no signature") {
  Fixture f;
  f.options.secrets.clear();
  f.open();
  f.tell(event::RunFinished{});
  f.finish();
  CHECK(header(f.http->requests().at(0), "webhook-signature").empty());
}

TEST_CASE("the drawn waits are never longer than asked and are the same for one seed") {
  const auto first = real_webhook_world(7, {}), second = real_webhook_world(7, {});
  for (const Duration longest : attempt_delays) {
    const Duration drawn = first.jitter(longest);
    CHECK(drawn >= Duration::zero());
    CHECK(drawn <= longest);
    CHECK(second.jitter(longest) == drawn);
  }
}
