// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/cancel.h"
#include "reporters/http_post.h"
#include "reporters/reporter.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

// Tells one HTTP endpoint what happens, in order, one message in flight. All of it is done by a
// thread of its own from a bounded queue: an endpoint that is slow or away delays nobody. A message
// that fails for good is skipped and said (webhook.failed); delivery never changes the outcome of a
// deploy. Messages are signed as Standard Webhooks has it; an endpoint without a secret gets them
// without a signature.

namespace belay::reporters {

struct WebhookOptions {
  std::string url;                  ///< https; http only with allow_http
  std::vector<std::string> secrets; ///< whsec_…; several while one is being replaced
  std::vector<std::string> events;  ///< globs; empty = the default set (webhook_message.h)
  bool allow_http = false;
  Duration connect_timeout = std::chrono::seconds(5);
  Duration total_timeout = std::chrono::seconds(15); ///< of one attempt
  std::string user_agent = "belay";                  ///< "belay/0.1.0"
  std::size_t queue_limit = 1000;                    ///< messages
  Duration budget = std::chrono::seconds(60);        ///< what is left to deliver after run.finished
  Duration cancelled_budget = std::chrono::seconds(2); ///< the same after a cancel
};

/// What the reporter needs of the world.
struct WebhookWorld {
  std::shared_ptr<HttpPost> http;
  std::function<WallTime()> wall;           ///< stamps the attempts
  std::function<Duration(Duration)> jitter; ///< draws a wait from nothing to its argument
  /// webhook.delivered, webhook.failed: from any thread, one at a time, never once the reporter is
  /// gone. Must not block.
  std::function<void(event::Draft)> tell;
  Environment environment = environment_variable; ///< for proxies
};

/// The real network, the system's clock, waits drawn from `seed`.
WebhookWorld real_webhook_world(std::uint64_t seed, std::function<void(event::Draft)> tell);

class WebhookReporter final : public Reporter {
public:
  /// Throws Error{usage} for a URL that cannot be used, Error{secret} for a secret that is none.
  WebhookReporter(const WebhookOptions& options, WebhookWorld world);
  ~WebhookReporter() override;

  std::string name() const override; ///< "webhook https://hooks.example": never the whole URL
  void report(const event::Event& event, const event::RunState& state) override;
  /// Waits for what is queued, within the budget and the deadline; throws Error{system} if messages
  /// could not be delivered since run.finished, which no event can tell any more.
  void finish(Instant deadline) override;

private:
  struct Shared;
  std::shared_ptr<Shared> shared_; ///< with the thread, which may outlive us in a name look-up
  std::thread thread_;
};

} // namespace belay::reporters
