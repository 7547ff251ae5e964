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

constexpr Duration verify_limit = std::chrono::seconds(30);
constexpr Duration abandon_limit = std::chrono::seconds(1);
constexpr Duration log_limit = std::chrono::seconds(10);

std::string script_end(const agent::ProfileStatus& status) {
  if (!status.message.empty()) {
    return status.message;
  }
  return status.reason.empty() ? std::string(name_of(status.state)) : status.reason;
}

std::string back_text(const agent::ProfileStatus& status) {
  if (status.recorded.path.empty()) {
    return "there was no generation before: the link was removed";
  }
  return status.recorded.number
             ? "generation " + std::to_string(*status.recorded.number) + " is back"
             : status.recorded.path + " is back";
}

event::RollbackTrigger trigger_of(const agent::ProfileStatus& status) {
  return status.reason == event::reasons::confirm_timeout ? event::RollbackTrigger::confirm_timeout
                                                          : event::RollbackTrigger::activation;
}

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
    if (!reach()) {
      return std::move(result_);
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
      unknown(error);
    } else if (result_.confirmed) {
      confirmed_unread();
    } else {
      leave_to_target();
    }
  }
  return std::move(result_);
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
    follow_.ping_others(Wait{confirm_by, context_.abandon()});
    fresh_ = try_confirm(confirm_by, decided);
    if (!decided) {
      delay = next_delay(delay);
      sleep_for(delay, Wait{confirm_by, context_.abandon()});
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

void ProfileActivation::settle(const Status& status) {
  switch (status.state) {
  case State::dry_run:
    return;
  case State::confirmed:
    verify(status);
    return;
  case State::failed:
    if (is_dry()) {
      fail(Stage::activate, Outcome::failure, status.reason,
           "dry run: " + script_end(status) + "; nothing was changed");
      return;
    }
    fail(Stage::activate, Outcome::failure, status.reason,
         script_end(status) + "; left as it is (autoRollback is off)");
    result_.changed = true;
    result_.generation_after = status.current.number;
    return;
  case State::rolled_back:
    settle_rolled_back(status);
    return;
  case State::superseded: // it expired, but what runs there now is somebody else's
    fail(Stage::activate, Outcome::error, event::reasons::superseded,
         script_end(status) + "; it is somebody else's now and left as it is");
    result_.generation_after = status.current.number;
    return;
  default:
    fail(Stage::activate, Outcome::error, event::reasons::rollback_failed, script_end(status));
    result_.rollback = Rollback::failed;
    result_.generation_after = status.current.number;
    tell_rollback(stages_, profile_, status, trigger_of(status), false);
  }
}

/// A connection that lived through it all proves nothing about the way in: the old generation may
/// not open what the new one shut. Why nobody gets in, by a login of its own; nullopt = one does.
/// The old connection is kept until then: it may be the last one.
std::optional<std::string> ProfileActivation::shut_out() {
  if (contact_.offers) {
    contact_.offers->went_back(node_.name, owner_.start);
  }
  const auto wait = Wait::at_most(contact_.patience.verdict, context_.abandon());
  for (Duration delay{};; delay = next_delay(delay)) {
    try {
      sleep_for(delay, wait);
      follow_.ping_others(wait);
      follow_.adopt(connect_fresh(contact_, node_, owner_, wait.within(fresh_login_limit(wait))));
      return std::nullopt;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::cancelled) {
        return std::nullopt; // then it is not known, and nobody waits for it
      }
      if (wait.left() <= next_delay(delay)) {
        return error.message();
      }
    }
  }
}

void ProfileActivation::settle_rolled_back(const Status& status) {
  bool verified = status.current.path == status.recorded.path;
  auto message = script_end(status);
  if (!verified) {
    fail(Stage::activate, Outcome::error, event::reasons::rollback_failed,
         message + "; rolled back, but the profile now is " + status.current.path);
    result_.rollback = Rollback::failed;
  } else if (const auto why = shut_out()) {
    verified = false;
    fail(Stage::activate, Outcome::error, event::reasons::rollback_failed,
         message + "; what ran before is back, but no new login gets in: " + *why);
    result_.rollback = Rollback::failed;
  } else {
    const bool abandoned = status.reason == "abandoned";
    fail(Stage::activate, abandoned ? Outcome::cancelled : Outcome::failure,
         abandoned ? event::reasons::left_to_target : std::string_view(status.reason), message);
    result_.rollback = Rollback::succeeded;
  }
  result_.generation_after = status.current.number;
  tell_rollback(stages_, profile_, status, trigger_of(status), verified);
}

/// Reads the link back, over the connection that confirmed where there is one.
void ProfileActivation::verify(const Status& status) {
  if (profile_.magic_rollback) {
    event::StageFinished done;
    if (fresh_) {
      done.details["confirm_path"] = fresh_->session->path();
    }
    stages_.finish(profile_, Stage::confirm, std::move(done));
  }
  result_.confirmed = true;
  result_.changed = status.recorded.path != profile_.path.string();
  stages_.start(profile_, Stage::verify);
  if (fresh_ && fresh_->client) {
    follow_.adopt(std::move(*fresh_));
  }
  follow_.ask(Wait::at_most(verify_limit, context_.abandon()));
  const auto& read_back = *follow_.latest();
  result_.generation_after = read_back.current.number;
  if (read_back.state != State::confirmed || !read_back.closure_matches) {
    fail(Stage::verify, Outcome::failure, event::reasons::verify_failed,
         "confirmed, but the profile link is " +
             (read_back.current.path.empty() ? std::string("gone") : read_back.current.path));
    return;
  }
  event::StageFinished done;
  done.generation_after = read_back.current.number;
  done.changed = result_.changed;
  stages_.finish(profile_, Stage::verify, std::move(done));
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

void tell_rollback(NodeStages& stages, const plan::Profile& profile,
                   const agent::ProfileStatus& status, event::RollbackTrigger trigger,
                   bool verified) {
  stages.start(profile, Stage::rollback);
  event::StageFinished done;
  done.outcome = verified ? Outcome::success : Outcome::error;
  done.reason = verified ? "" : std::string(event::reasons::rollback_failed);
  done.generation_after = status.current.number;
  if (verified) {
    stages.tell(event::NodeRolledBack{status.made, status.current.number, trigger, true},
                event::Level::error);
  }
  stages.finish(profile, Stage::rollback, std::move(done),
                verified ? back_text(status) : script_end(status));
}

} // namespace belay::run
