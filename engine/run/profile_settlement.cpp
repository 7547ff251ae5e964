// SPDX-License-Identifier: Apache-2.0
#include "engine/run/profile_activation.h"

#include "engine/base/error.h"

// What a profile's end is called: the target's last word, and what a login of the runner's own says
// to that.

namespace belay::run {

using agent::State;
using event::Outcome;
using event::Rollback;
using event::Stage;

namespace {

constexpr Duration verify_limit = std::chrono::seconds(30);
// Of a run that has to end: less than what CI systems leave between their signals (5 to 10 s).
constexpr Duration quick_login = std::chrono::seconds(2);

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
/// The old connection is kept until then: it may be the last one. A run that has to end waits for
/// no further login; but what was refused so far counts, and without any there is a quick one.
std::optional<std::string> ProfileActivation::shut_out() {
  if (contact_.offers) {
    contact_.offers->went_back(node_.name, owner_.start);
  }
  const auto wait = Wait::at_most(contact_.patience.verdict, context_.abandon());
  std::optional<std::string> refused;
  for (Duration delay{};; delay = next_delay(delay)) {
    try {
      if (delay > Duration::zero()) {
        follow_.rest(delay, wait);
      }
      follow_.adopt(connect_fresh(contact_, node_, owner_, wait.within(fresh_login_limit(wait))));
      return std::nullopt;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::cancelled) {
        return refused ? refused : try_login(Wait::at_most(quick_login));
      }
      refused = error.message();
      if (wait.left() <= next_delay(delay)) {
        return refused;
      }
    }
  }
}

/// Why it does not get in.
std::optional<std::string> ProfileActivation::try_login(const Wait& wait) {
  try {
    follow_.adopt(connect_fresh(contact_, node_, owner_, wait));
    return std::nullopt;
  } catch (const Error& error) {
    return error.message();
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
