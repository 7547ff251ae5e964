// SPDX-License-Identifier: Apache-2.0
#include "reporters/webhook.h"

#include "engine/base/error.h"
#include "engine/event/event_json.h"
#include "reporters/webhook_delivery.h"
#include "reporters/webhook_signature.h"
#include "tests/catch.h"
#include "tests/unit/reporters/webhook_bench.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

// Deliveries: their order, their attempts, and what a run waits for.

using namespace belay;
using namespace belay::reporters;
using namespace belay::test;
using namespace std::chrono_literals;
using Fixture = WebhookBench;

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
          webhook_signature({webhook_key(webhook_secret)}, id, "1614265330", requests[i].body));
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
