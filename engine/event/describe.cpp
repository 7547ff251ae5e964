// SPDX-License-Identifier: Apache-2.0
#include "engine/base/text.h"
#include "engine/event/event.h"

// The one line that says a payload to a person, for drafts that bring none of their own.

namespace belay::event {

namespace {

std::string count(std::size_t number, std::string_view what) {
  return std::to_string(number) + " " + std::string(what) + (number == 1 ? "" : "s");
}

std::string generation(const std::optional<int>& number) {
  return number ? "generation " + std::to_string(*number) : "no generation";
}

/// ": REASON", or nothing.
std::string because(std::string_view reason) {
  return reason.empty() ? "" : ": " + std::string(reason);
}

std::string_view verb(Outcome outcome) {
  switch (outcome) {
  case Outcome::success:
    return "done";
  case Outcome::failure:
    return "failed";
  case Outcome::error:
    return "error";
  case Outcome::cancelled:
    return "cancelled";
  case Outcome::skipped:
    return "skipped";
  }
  return "error";
}

std::string deliveries(const std::string& endpoint, int attempts) {
  return endpoint + " after " + count(static_cast<std::size_t>(attempts), "attempt");
}

struct Describe {
  const Subject& subject;

  /// "web-1/system activate" - as much of it as there is.
  std::string where() const {
    std::string text = subject.node;
    if (!subject.profile.empty())
      text += (text.empty() ? "" : "/") + subject.profile;
    if (subject.stage)
      text += (text.empty() ? "" : " ") + std::string(name_of(*subject.stage));
    return text.empty() ? "run" : text;
  }

  std::string operator()(const RunStarted& p) const {
    std::string text = p.tool_name + " " + p.tool_version + " " + p.command;
    if (!p.flakes.empty())
      text += " " + join(p.flakes, " ");
    return p.environment.empty() ? text : text + " for " + p.environment;
  }
  std::string operator()(const PlanResolved& p) const {
    std::size_t profiles = 0;
    for (const PlanResolved::Node& node : p.nodes)
      profiles += node.profiles.size();
    return count(p.nodes.size(), "node") + ", " + count(profiles, "profile") + ", " +
           std::to_string(p.parallel) + " at once" +
           (p.mode == Mode::activate ? "" : ", " + std::string(name_of(p.mode)));
  }
  std::string operator()(const DiagnosticFound& p) const {
    const std::string text = p.code.empty() ? "problem" : p.code;
    return p.hint.empty() ? text : text + "; " + p.hint;
  }
  std::string operator()(const EvaluateFinished& p) const {
    return "evaluation " + std::string(verb(p.outcome)) + " in " + format_duration(p.duration) +
           because(p.error);
  }
  std::string operator()(const CheckFinished& p) const {
    const std::string what = p.failed.empty() ? "checks" : join(p.failed, ", ");
    return what + " of " + p.flake + " " + std::string(verb(p.outcome)) + " in " +
           format_duration(p.duration) + because(p.error);
  }
  std::string operator()(const BuildFinished& p) const {
    const std::string there = p.built_on.empty() ? "" : " of " + p.built_on;
    if (p.cached)
      return "in the store" + there + " already: " + p.derivation;
    return (p.built_on.empty() ? "build " : "build on " + p.built_on + " ") +
           std::string(verb(p.outcome)) + " in " + format_duration(p.duration) + ": " +
           p.derivation + (p.reason.empty() ? "" : " (" + p.reason + ")");
  }
  std::string operator()(const NodeQueued&) const { return where() + " is queued"; }
  std::string operator()(const NodeStarted& p) const {
    return where() + " started" + (p.host.empty() ? "" : " on " + p.host);
  }
  std::string operator()(const StageStarted&) const { return where() + " started"; }
  std::string operator()(const StageProgress& p) const {
    return where() + ": " + format_bytes(p.bytes) +
           (p.bytes_expected ? " of " + format_bytes(*p.bytes_expected) : "");
  }
  std::string operator()(const StageFinished& p) const {
    std::string text =
        where() + " " + std::string(verb(p.outcome)) + " in " + format_duration(p.duration);
    if (p.changed == false)
      text += ", nothing changed";
    text += because(p.reason);
    return p.exit_status ? text + " (exit status " + std::to_string(*p.exit_status) + ")" : text;
  }
  std::string operator()(const StageRetrying& p) const {
    return where() + " attempt " + std::to_string(p.attempt) + " of " + std::to_string(p.max) +
           " failed" + because(p.reason) + "; next in " + format_duration(p.delay);
  }
  std::string operator()(const LockWaiting& p) const {
    return where() + " waits up to " + format_duration(p.longest) + " for " +
           (p.holder_run.empty() ? "another deploy" : "run " + p.holder_run) +
           (p.holder_url.empty() ? "" : " (" + p.holder_url + ")") +
           (p.since.empty() ? "" : ", which holds the target since " + p.since) +
           (p.attended ? "" : " and is not heard of any more: the target ends it by itself");
  }
  std::string operator()(const EarlierResolved& p) const {
    return where() + ": an earlier deploy (run " + p.earlier_run + ") ended " + p.state +
           because(p.reason);
  }
  std::string operator()(const NodeRolledBack& p) const {
    return where() + " rolled back from " + generation(p.from) + " to " + generation(p.to) +
           " because of " + std::string(name_of(p.trigger)) +
           (p.verified ? ", verified" : ", not verified");
  }
  std::string operator()(const NodeFinished& p) const {
    std::string text = where() + " " + std::string(verb(p.outcome)) + because(p.reason);
    if (p.rollback != Rollback::none)
      text += ", rollback " + std::string(name_of(p.rollback));
    return p.decides_by.empty() ? text : text + ", the target decides by " + p.decides_by;
  }
  std::string operator()(const LogLine& p) const {
    return p.stream + (p.part ? " (part " + std::to_string(*p.part) + ")" : "") + ": " +
           std::string(std::string_view(p.text).substr(0, 200));
  }
  std::string operator()(const Heartbeat& p) const {
    return count(p.running.size(), "node") + " running";
  }
  std::string operator()(const CancelRequested& p) const {
    if (p.source == cancel_sources::timeout)
      return "the deadline of the run has passed" + (p.policy.empty() ? "" : ", " + p.policy);
    return "cancelled by " + (p.signal.empty() ? p.source : p.signal) +
           (p.policy.empty() ? "" : ", " + p.policy);
  }
  std::string operator()(const WebhookDelivered& p) const {
    return "webhook delivered to " + deliveries(p.endpoint, p.attempts);
  }
  std::string operator()(const WebhookFailed& p) const {
    return "webhook not delivered to " + deliveries(p.endpoint, p.attempts) + because(p.error);
  }
  std::string operator()(const RunFinished& p) const {
    return "run " + std::string(verb(p.outcome)) + because(p.reason) + ", exit code " +
           std::to_string(p.exit_code);
  }
};

} // namespace

std::string describe(const Payload& payload, const Subject& subject) {
  const std::string text = one_line(std::visit(Describe{subject}, payload));
  return text.empty() ? std::string(type_of(payload)) : text;
}

} // namespace belay::event
