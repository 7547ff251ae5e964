// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/keeper.h"

#include "engine/base/error.h"

#include <algorithm>

namespace belay::agent {

namespace {

constexpr std::chrono::seconds seen_interval{1};
constexpr Duration longest_pause = std::chrono::seconds(5);

template <class... Functions> struct Overloaded : Functions... { using Functions::operator()...; };
template <class... Functions> Overloaded(Functions...) -> Overloaded<Functions...>;

} // namespace

Keeper::Keeper(const Record& record, const TransactionFiles& files, Transaction& transaction,
               Clock& clock, Options options)
    : record_(record), requests_(files), transaction_(transaction), clock_(clock),
      options_(std::move(options)) {}

void Keeper::run() {
  const auto boot = boot_id();
  busy_ = clock_.now();
  transaction_.note_safely({.step = Step::keeping, .boot = boot});
  if (transaction_.view().in_vain > most_keepers_in_vain) {
    transaction_.give_up(std::to_string(most_keepers_in_vain) +
                         " keepers of this deploy ended without getting any further");
    return close();
  }
  transaction_.recover(); // whether there was one before us is not to be relied on
  for (;;) {
    listen();
    work();
    transaction_.tick();
    const bool wanted =
        transaction_.view().finished || options_.mode == Mode::recover || is_idle(boot);
    if (wanted && may_close()) {
      return close();
    }
    if (options_.between) {
      options_.between();
    }
    clock_.sleep_until(clock_.now() + options_.interval);
  }
}

/// Its run may have been silent for as long as there was something to wait for.
bool Keeper::is_idle(const std::string& boot) {
  if (!transaction_.decided()) {
    busy_ = clock_.now();
  }
  if (clock_.now() < look_at_) { // reading a file each turn would be most of what a keeper does
    return false;
  }
  look_at_ = clock_.now() + seen_interval;
  const auto last = std::max(requests_.last_seen(boot).value_or(busy_), busy_);
  return clock_.now() - last >= options_.idle;
}

/// What could not even be noted (a full disk) stays where it is, and is looked at again: ever more
/// seldom, because of a journal that can be written but not synced each attempt leaves a line.
void Keeper::listen() {
  if (clock_.now() < listen_at_) {
    return;
  }
  try {
    take_requests();
    pause_ = {};
  } catch (const Error&) {
    pause_ = std::clamp(2 * pause_, options_.interval, longest_pause);
    listen_at_ = clock_.now() + pause_;
  }
}

void Keeper::take_requests() {
  for (const auto& dropped : requests_.list()) {
    if (!transaction_.view().requests.contains(dropped.name)) {
      if (!requests_.is_there(dropped.name)) { // taken back meanwhile
        continue;
      }
      const auto reply =
          dropped.body ? answer(*dropped.body) : Answer{"protocol", "not a request", {}};
      transaction_.note({.step = Step::request,
                         .profile = reply.profile,
                         .reason = reply.reason,
                         .message = reply.message,
                         .request = dropped.name});
      if (reply.reason.empty()) {
        accepted_.push_back(*dropped.body);
      }
    }
    requests_.remove(dropped.name);
  }
}

Keeper::Answer Keeper::answer(const RequestBody& body) {
  return std::visit(Overloaded{
                        [&](const ActivateRequest& request) { return answer_activate(request); },
                        [&](const RevokeRequest& request) { return answer_revoke(request); },
                        [&](const AbandonRequest&) {
                          if (!transaction_.view().abandoned) { // also for a script that runs
                            transaction_.note_safely({.step = Step::abandoned});
                          }
                          return Answer{};
                        },
                        [&](const FinishRequest&) {
                          if (!transaction_.view().finished) {
                            transaction_.note({.step = Step::finished});
                          }
                          return Answer{};
                        },
                        [](const auto&) {
                          return Answer{"protocol", "this is not asked of a keeper", {}};
                        },
                    },
                    body);
}

Keeper::Answer Keeper::answer_activate(const ActivateRequest& request) {
  const auto profile = record_.index_of(request.profile);
  if (!profile) {
    return {"protocol", "there is no profile \"" + request.profile + "\" in this transaction", {}};
  }
  // Left from before the keeper's death, perhaps before a reboot: nobody may be there to confirm
  // it.
  const bool recovering = options_.mode == Mode::recover;
  if (recovering || transaction_.view().abandoned || transaction_.view().finished) {
    return {"protocol", "this transaction is ending", {}};
  }
  return {"", "", profile}; // again and again does no harm: a profile is activated once
}

Keeper::Answer Keeper::answer_revoke(const RevokeRequest& request) {
  const auto profile = record_.index_of(request.profile);
  if (!profile) {
    return {"protocol", "there is no profile \"" + request.profile + "\" in this transaction", {}};
  }
  const auto& view = transaction_.view().profiles[*profile];
  if (view.state == State::prepared && !view.asked) {
    return {"protocol", "this profile was not activated", {}};
  }
  if (!view.revoke_asked) {
    transaction_.note({.step = Step::revoking, .profile = profile}); // owed from now on
  }
  return {};
}

void Keeper::work() {
  while (!accepted_.empty()) {
    const auto body = std::move(accepted_.front());
    accepted_.pop_front();
    std::visit(Overloaded{
                   [&](const ActivateRequest& request) {
                     transaction_.activate(*record_.index_of(request.profile));
                   },
                   [&](const RevokeRequest& request) {
                     transaction_.revoke(*record_.index_of(request.profile));
                   },
                   [&](const AbandonRequest&) { transaction_.abandon(); },
                   [](const auto&) {},
               },
               body);
    busy_ = clock_.now();
    listen();
  }
}

bool Keeper::may_close() const {
  return accepted_.empty() && transaction_.decided();
}

void Keeper::close() {
  // Whoever drops a request from here on finds the transaction closed.
  transaction_.note_safely({.step = Step::closed});
}

} // namespace belay::agent
