// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"
#include "reporters/webhook.h"
#include "tests/catch.h"
#include "tests/unit/reporters/sample_events.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

// What the tests of a webhook's deliveries begin with.

namespace belay::test {

inline const std::string webhook_secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

inline reporters::HttpResponse status(int code, std::optional<Duration> retry_after = {}) {
  return {code, "", retry_after};
}

/// An endpoint that answers as it was told to (at last 200), and can be made to hold its breath.
class FakeHttp final : public reporters::HttpPost {
public:
  reporters::HttpResponse post(const reporters::HttpRequest& request, const Wait& wait) override {
    std::unique_lock lock(mutex_);
    requests_.push_back(request);
    changed_.notify_all();
    while (held_ && !wait.cancel.cancelled() && !wait.expired())
      changed_.wait_for(lock, std::chrono::milliseconds(5));
    if (answers_.empty())
      return status(200);
    const reporters::HttpResponse answer = answers_.front();
    answers_.pop_front();
    return answer;
  }
  void answer(std::initializer_list<reporters::HttpResponse> answers) { answers_ = answers; }
  void hold(bool on) {
    const std::lock_guard lock(mutex_);
    held_ = on;
    changed_.notify_all();
  }
  void await_requests(std::size_t number) {
    std::unique_lock lock(mutex_);
    REQUIRE(changed_.wait_for(lock, std::chrono::seconds(20),
                              [&] { return requests_.size() >= number; }));
  }
  std::vector<reporters::HttpRequest> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<reporters::HttpRequest> requests_;
  std::deque<reporters::HttpResponse> answers_;
  bool held_ = false;
};

/// A reporter before a FakeHttp, in a world without time of day, chance or environment.
struct WebhookBench {
  std::shared_ptr<FakeHttp> http = std::make_shared<FakeHttp>();
  reporters::WebhookOptions options;
  std::mutex mutex;
  std::vector<event::Draft> told;
  std::vector<Duration> drawn;
  event::RunState state;
  std::uint64_t sequence = 0;
  std::unique_ptr<reporters::WebhookReporter> reporter;

  WebhookBench() {
    options.url = "https://hooks.example/T0/secret-path";
    options.secrets = {webhook_secret};
    options.events = {"*"};
  }
  void open() {
    reporters::WebhookWorld world;
    world.http = http;
    world.wall = [] { return WallTime(std::chrono::seconds(1614265330)); };
    world.jitter = [this](Duration longest) {
      drawn.push_back(longest);
      return Duration::zero();
    };
    world.tell = [this](event::Draft draft) {
      const std::lock_guard lock(mutex);
      told.push_back(std::move(draft));
    };
    world.environment = [](const std::string&) { return std::nullopt; };
    reporter = std::make_unique<reporters::WebhookReporter>(options, std::move(world));
  }
  void tell(event::Payload payload) {
    const event::Event event = sample(std::move(payload), {"web-1", "", {}, 0}, "", ++sequence);
    event::fold(state, event);
    reporter->report(event, state);
  }
  /// The problem that finish tells of; empty = none.
  std::string finish() {
    try {
      reporter->finish(BootClock::now() + std::chrono::seconds(20));
    } catch (const Error& error) {
      return error.message();
    }
    return "";
  }
};

/// The value of this header; empty = none.
inline std::string header(const reporters::HttpRequest& request, const std::string& name) {
  for (const auto& [key, value] : request.headers)
    if (key == name)
      return value;
  return "";
}

} // namespace belay::test
