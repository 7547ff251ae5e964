// SPDX-License-Identifier: Apache-2.0
#include "engine/run/profile_activation.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <algorithm>

namespace belay::run {

using agent::State;
using event::Outcome;
using event::Rollback;
using event::Stage;

namespace {

constexpr Duration abandon_limit = std::chrono::seconds(1);
constexpr Duration log_limit = std::chrono::seconds(10);

} // namespace

ProfileActivation::ProfileActivation(const Contact& contact, const plan::Node& node, NodeLink& link,
                                     const plan::Profile& profile, NodeStages& stages,
                                     StepContext& context)
    : contact_(contact), node_(node), owner_(link.owner_of(profile)), profile_(profile),
      stages_(stages), context_(context), follow_(contact, node, link, profile, stages) {}

Wait ProfileActivation::patient() const {
  return Wait{deadline_, context_.abandon()};
}

/// The new script, the wait for us, the old script when it went wrong. Each script may overrun its
/// time and have to be stopped; one that meets another activation's lock is tried again.
Duration ProfileActivation::longest_turn() const {
  const auto& patience = contact_.patience;
  const auto script = profile_.activation_timeout + patience.kill;
  const auto patient = patience.foreign_lock + script;
  const bool boots = profile_.boot_default == plan::BootDefault::after_confirm;
  return script + profile_.confirm_timeout + (boots ? patient : Duration::zero()) + patient +
         patience.verdict;
}

ProfileResult ProfileActivation::run() {
  stages_.start(profile_, Stage::activate);
  deadline_ = BootClock::now() + longest_turn();
  try {
    see_through();
  } catch (const std::exception& error) { // what the node has confirmed before must be taken back
    unknown(as_error(error));
  }
  return std::move(result_);
}

void ProfileActivation::see_through() {
  try {
    if (!reach()) {
      return;
    }
    if (const auto activated = activate()) {
      const auto end =
          activated->state == State::awaiting_confirm ? confirm(*activated) : *activated;
      if (follow_.was_lost()) { // before the stage ends, so that it is in its report
        follow_.tell_log(Wait::at_most(log_limit, context_.abandon()));
      }
      settle(end);
    }
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::cancelled) {
      throw;
    }
    result_.confirmed ? confirmed_unread() : leave_to_target();
  }
}

/// Nothing was asked of the target yet: one that cannot be reached now is unreachable, not unknown.
bool ProfileActivation::reach() {
  try {
    follow_.ensure_link(Wait::at_most(contact_.patience.reach, context_.work()));
    context_.work().throw_if_cancelled(); // after the first signal nothing new starts
    return true;
  } catch (const Error& error) {
    const bool cancelled = error.kind() == ErrorKind::cancelled;
    fail(Stage::activate, cancelled ? Outcome::cancelled : Outcome::error,
         reason_of(cancelled ? ErrorKind::cancelled : ErrorKind::unreachable), error.what());
    return false;
  }
}

/// Starts the activation and follows it to the end of the script or, where that failed, to the end
/// of the target's own rollback.
std::optional<agent::ProfileStatus> ProfileActivation::activate() {
  result_.touched = !is_dry(); // from here on the target may act
  // An agent that has already begun answers a repeated request without beginning again.
  const auto reply =
      follow_.request(agent::ActivateRequest{owner_.transaction, profile_.name}, patient());
  if (const auto* refusal = std::get_if<agent::Refusal>(&reply)) {
    // A repeated request may be refused after the first one was obeyed: the state decides.
    follow_.ask(patient());
    if (follow_.latest()->state == State::prepared) {
      result_.touched = false;
      const auto error = error_of(*refusal);
      fail(Stage::activate, Outcome::error, error.reason(), error.message());
      return std::nullopt;
    }
  }
  auto status = follow_.until(
      [](const Status& s) { return s.state == State::awaiting_confirm || is_final(s.state); },
      patient());
  exit_status_ = status.exit_status;
  if (status.state == State::dry_run) {
    event::StageFinished done;
    done.changed = false;
    done.exit_status = status.exit_status;
    stages_.finish(profile_, Stage::activate, std::move(done));
  }
  if (status.state == State::awaiting_confirm || status.state == State::confirmed) {
    event::StageFinished done;
    done.changed = status.recorded.path != profile_.path.string();
    done.exit_status = status.exit_status;
    done.generation_after = status.current.number;
    stages_.finish(profile_, Stage::activate, std::move(done));
  }
  return status;
}

/// Gets in by a connection of its own and says so, until the target's deadline; then asks for the
/// verdict.
agent::ProfileStatus ProfileActivation::confirm(const Status& waiting) {
  stages_.start(profile_, Stage::confirm);
  const auto confirm_by =
      BootClock::now() + waiting.confirm_left.value_or(profile_.confirm_timeout);
  Duration delay{};
  bool decided = false;
  while (!decided && BootClock::now() < confirm_by) {
    fresh_ = try_confirm(confirm_by, decided);
    if (!decided) {
      delay = next_delay(delay);
      follow_.rest(delay, Wait{confirm_by, context_.abandon()});
    }
  }
  if (!decided) {
    follow_.distrust(); // the answer to a confirmation may be what got lost
  }
  return follow_.until([](const Status& s) { return is_final(s.state); }, patient());
}

/// One attempt. `decided` is set where the target told who won the race.
std::optional<AgentLink> ProfileActivation::try_confirm(Instant confirm_by, bool& decided) {
  const Wait until_deadline{confirm_by, context_.abandon()};
  try {
    auto link = connect_fresh(contact_, node_, owner_,
                              until_deadline.within(fresh_login_limit(until_deadline)));
    asked_to_confirm_ = true;
    const auto reply =
        link.client->call(agent::ConfirmRequest{owner_.transaction, profile_.name}, until_deadline);
    if (const auto* refusal = std::get_if<agent::Refusal>(&reply)) {
      throw error_of(*refusal);
    }
    if (const auto* decision = std::get_if<agent::Decision>(&reply)) {
      decided = true;
      follow_.take(decision->profile);
      return link;
    }
    throw Error(ErrorKind::protocol, "the agent answered confirm with something else");
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::cancelled) {
      throw;
    }
    stages_.tell(event::LogLine{"ssh", "not confirmed yet: " + error.message(), std::nullopt, true},
                 event::Level::warn);
    return std::nullopt;
  }
}

/// Ends the stage that runs as failed; `stage` where none runs.
void ProfileActivation::fail(Stage stage, Outcome outcome, std::string_view reason,
                             const std::string& message) {
  result_.outcome = outcome;
  result_.reason =
      reason.empty() ? std::string(event::reasons::activation_failed) : std::string(reason);
  result_.message = message;
  event::StageFinished done;
  done.outcome = outcome;
  done.reason = result_.reason;
  const auto broken = stages_.running().value_or(stage);
  if (broken == Stage::activate) {
    done.exit_status = exit_status_;
  }
  stages_.finish(profile_, broken, std::move(done), message);
}

/// The script of a dry run may go on a while; whatever it does, there is nothing to decide.
void ProfileActivation::leave_dry_run() {
  try {
    follow_.demand(agent::AbandonRequest{owner_.transaction}, Wait::at_most(abandon_limit));
  } catch (const Error&) { // it ends by itself
  }
  fail(Stage::activate, Outcome::cancelled, reason_of(ErrorKind::cancelled),
       "cancelled during the dry run; nothing was changed");
}

/// Up to the time by which it has ended.
std::string ProfileActivation::left_text(const std::optional<Status>& status) const {
  if (status && status->state == State::setting_boot_default) {
    return "cancelled while it was made the boot default; the target ends it by itself by ";
  }
  return asked_to_confirm_
             ? "cancelled while a confirmation was under way; the target decides by itself by "
             : "cancelled; the target goes back by itself by ";
}

/// Tells the target to decide alone, and says what it has decided where it already has.
void ProfileActivation::leave_to_target() {
  if (is_dry()) {
    return leave_dry_run();
  }
  const auto decides_by = SystemClock().wall() + (deadline_ - BootClock::now());
  try {
    follow_.demand(agent::AbandonRequest{owner_.transaction}, Wait::at_most(abandon_limit));
  } catch (const Error& error) {
    unknown(error);
    return;
  }
  try {
    follow_.ask(Wait::at_most(abandon_limit));
  } catch (const Error&) { // it has acknowledged: that is enough
  }
  const auto status = follow_.latest();
  if (status && status->state == State::confirmed) {
    result_.confirmed = true;
    result_.changed = status->recorded.path != profile_.path.string();
    result_.generation_after = status->current.number;
    confirmed_unread();
  } else if (status && is_final(status->state)) {
    settle(*status);
  } else {
    result_.decides_by = format_time(decides_by);
    fail(Stage::activate, Outcome::cancelled, event::reasons::left_to_target,
         left_text(status) + result_.decides_by);
  }
}

/// The cancel came between the target's word and our look at the link.
void ProfileActivation::confirmed_unread() {
  fail(Stage::verify, Outcome::cancelled, reason_of(ErrorKind::cancelled),
       "the target has confirmed and keeps the new profile; cancelled before it was read back");
}

void ProfileActivation::unknown(const Error& error) {
  if (is_dry()) {
    fail(Stage::activate, Outcome::error, error.reason(),
         std::string("how the dry run ended is not known; nothing was changed: ") + error.what());
    return;
  }
  result_.rollback = result_.confirmed ? Rollback::none : Rollback::unknown;
  fail(Stage::activate, Outcome::error, event::reasons::state_unknown,
       std::string("the state of the target is not known: ") + error.what());
}

} // namespace belay::run
