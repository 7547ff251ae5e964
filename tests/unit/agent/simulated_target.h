// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/decision.h"
#include "engine/agent/journal.h"
#include "engine/agent/profile_store.h"
#include "engine/agent/record.h"
#include "engine/agent/scripts.h"
#include "engine/agent/transaction.h"
#include "engine/base/error.h"
#include "tests/fakes/fake_clock.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

// A target in memory: a profile with generations as Nix numbers them, what is running, and a disk
// that survives the death of whoever works on it. A knife can be set to kill the worker at the n-th
// point at which something could be cut: before and after each change, and in the middle of a
// journal line and of a script.

namespace belay::agent::test {

struct Killed {};

class Knife {
public:
  void set(int points) { left_ = points; }
  void put_away() { left_ = -1; }
  void point() {
    if (left_ >= 0 && left_-- == 0) {
      throw Killed{};
    }
  }
  bool cuts_now() { return left_ >= 0 && left_-- == 0; }

private:
  int left_ = -1;
};

inline std::string store_path(const std::string& name) {
  return "/nix/store/" + std::string(32, 'a') + "-" + name;
}

class SimulatedTarget final : public Journal,
                              public Decisions,
                              public ProfileStore,
                              public Scripts {
public:
  static constexpr const char* profile = "/nix/var/nix/profiles/system";

  Knife knife;
  fakes::FakeClock clock;
  std::string boot = "boot-1";

  // ---- the disk ----
  std::string journal_text;
  std::size_t synced = 0; ///< how much of it survives a power cut
  enum class Decided { held, pending, confirmed, expired };
  Decided decided = Decided::held;
  std::optional<std::string> link;
  std::map<int, std::string> numbered; ///< generation → path; "" leads nowhere

  // ---- the machine ----
  std::string running;       ///< generation that was activated last; "half X" if it was cut short
  std::string boot_default;  ///< generation that a reboot brings up
  bool script_alive = false; ///< of a keeper that died
  std::map<std::string, std::function<ScriptResult(const ScriptCall&)>>
      outcomes;                        ///< by generation; default: well
  std::vector<ScriptCall::Kind> kinds; ///< of what was run
  std::string called_with;             ///< $PROFILE of the last one
  std::vector<std::string> runs;       ///< what was run, in order
  std::vector<std::string> violations; ///< things that may never happen
  bool nix_env_broken = false;
  bool links_broken = false;
  bool unstoppable = false;
  bool sync_broken = false;              ///< what is written stays, as far as anybody knows
  std::function<void()> before_decision; ///< what happens between a look and the rename
  std::vector<int> switched_to;

  void install(int number, const std::string& path) {
    numbered[number] = path;
    link = "system-" + std::to_string(number) + "-link";
    running = boot_default = path;
  }

  RecordedProfile recorded(const std::string& closure) const {
    RecordedProfile result{.wanted = {.name = "system", .closure = closure},
                           .path = profile,
                           .link = link,
                           .generation = read(profile).generation,
                           .closure_path = closure,
                           .reactivate = read(profile).generation.path};
    for (const auto& [number, path] : numbered) {
      result.numbers.push_back(number);
    }
    return result;
  }

  /// The power is cut: what was not synced is as if it had not been.
  void reboot() {
    boot += "'";
    script_alive = false;
    running = boot_default;
    journal_text.resize(synced);
    if (decided == Decided::pending) {
      decided = Decided::held;
    }
  }

  // ---- Journal ----
  void append(const Entry& entry) override {
    knife.point();
    const auto line = encode_entry(entry);
    if (knife.cuts_now()) {
      journal_text += line.substr(0, line.size() / 2) + "\n"; // as the next JournalFile leaves it
      throw Killed{};
    }
    journal_text += line;
    if (is_synced_at_once(entry.step)) {
      if (sync_broken) {
        throw Error(ErrorKind::system, "cannot sync the journal");
      }
      synced = journal_text.size();
    }
    knife.point();
  }

  // ---- Decisions ----
  void offer(std::size_t) override {
    knife.point();
    if (decided == Decided::held) {
      decided = Decided::pending;
    }
    knife.point();
  }
  std::optional<Verdict> decide(std::size_t index, Verdict wanted) override {
    knife.point();
    if (before_decision) {
      before_decision();
    }
    if (decided == Decided::pending) {
      decided = wanted == Verdict::confirmed ? Decided::confirmed : Decided::expired;
    }
    knife.point();
    return verdict_of(index);
  }
  std::optional<Verdict> read(std::size_t index) const override { return verdict_of(index); }

  // ---- ProfileStore ----
  ProfileReading read(const std::string&) const override {
    ProfileReading reading{.link = link};
    if (link) {
      for (const auto& [number, path] : numbered) {
        if (*link == "system-" + std::to_string(number) + "-link") {
          reading.generation = {number, path};
        }
      }
      if (link->starts_with("/nix/store/")) {
        reading.generation.path = *link;
      }
    }
    return reading;
  }
  std::map<int, std::string> generations(const std::string&) const override { return numbered; }
  Problem set(const std::string&, const std::string& path) override {
    return change([&] {
      // As Nix does: the newest generation is used again if it is this path.
      if (numbered.empty() || numbered.rbegin()->second != path) {
        numbered[numbered.empty() ? 1 : numbered.rbegin()->first + 1] = path;
        knife.point();
      }
      link = "system-" + std::to_string(numbered.rbegin()->first) + "-link";
    });
  }
  Problem switch_generation(const std::string&, int number) override {
    switched_to.push_back(number);
    return change([&] { link = "system-" + std::to_string(number) + "-link"; });
  }
  Problem delete_generation(const std::string&, int number) override {
    return change([&] { numbered.erase(number); });
  }
  Problem restore_link(const std::string&, const std::string& text) override {
    if (links_broken) {
      return "no room";
    }
    knife.point();
    link = text;
    knife.point();
    return std::nullopt;
  }
  Problem remove_link(const std::string&) override {
    knife.point();
    link.reset();
    knife.point();
    return std::nullopt;
  }

  // ---- Scripts ----
  ScriptResult run(const ScriptCall& call) override {
    knife.point();
    if (script_alive) {
      violations.push_back("a script was started beside another one");
    }
    runs.push_back(call.generation);
    kinds.push_back(call.kind);
    called_with = call.profile_path;
    script_alive = true;
    using Kind = ScriptCall::Kind;
    const bool only_boots = call.kind == Kind::boot || call.kind == Kind::boot_back;
    const bool activates = !only_boots && call.kind != Kind::dry;
    if (call.kind != Kind::trial && call.kind != Kind::dry) { // the boot loader comes first
      boot_default = call.generation;
    }
    running = activates ? "half " + call.generation : running;
    knife.point();
    script_alive = false;
    const auto outcome = outcomes.find(call.generation);
    auto result = outcome == outcomes.end() ? exited(0) : outcome->second(call);
    if (result.succeeded() && activates) {
      running = call.generation;
    }
    clock.advance(std::chrono::seconds(2));
    knife.point();
    return result;
  }
  bool stop_leftovers(const ScriptCall&) override {
    knife.point();
    if (!unstoppable) {
      script_alive = false;
    }
    knife.point();
    return !script_alive;
  }

  static ScriptResult exited(int status) {
    ScriptResult result;
    result.exit_status = status;
    return result;
  }

  /// Another life of the keeper, from what is on the disk.
  Transaction wake(const Record& record) {
    return Transaction(record, View(record.profiles.size(), decode_journal(journal_text)),
                       {*this, *this, *this, *this, clock, boot});
  }

private:
  std::optional<Verdict> verdict_of(std::size_t) const {
    switch (decided) {
    case Decided::confirmed:
      return Verdict::confirmed;
    case Decided::expired:
      return Verdict::expired;
    case Decided::held:
    case Decided::pending:
      break;
    }
    return std::nullopt;
  }

  template <class Function> Problem change(Function function) {
    if (script_alive) {
      violations.push_back("the profile was changed while a script ran");
    }
    if (nix_env_broken) {
      return "nix-env failed";
    }
    knife.point();
    function();
    knife.point();
    return std::nullopt;
  }
};

inline Record record_of(RecordedProfile profile) {
  Record record;
  record.transaction = "0123456789abcdef";
  record.boot = "boot-1";
  record.profiles.push_back(std::move(profile));
  return record;
}

} // namespace belay::agent::test
