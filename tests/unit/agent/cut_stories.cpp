// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/agent/cut_stories.h"

#include "engine/agent/journal.h"
#include "engine/agent/record.h"
#include "engine/agent/transaction_files.h"
#include "engine/base/error.h"

#include <algorithm>
#include <functional>
#include <future>
#include <thread>

namespace belay::agent::test {

using std::chrono::seconds;

namespace {

constexpr seconds patience{60};

[[noreturn]] void fail(const std::string& what) {
  throw Error(ErrorKind::internal, what);
}

template <class T> T required(const ReplyBody& reply) {
  if (const auto* refusal = std::get_if<Refusal>(&reply)) {
    fail("refused: " + refusal->reason + ": " + refusal->message);
  }
  return std::get<T>(reply);
}

/// A runner's side of one transaction with the profile `system`.
class Deploy {
public:
  Deploy(const CutHost& host, const std::string& closure)
      : agent_(host.world(), faulty_agent_program()),
        wanted({.name = "system",
                .closure = host.closure(closure),
                .confirm_timeout = seconds(2), // recover waits for it
                .activation_timeout = seconds(20)}) {}

  Deploy& prepare() {
    const PrepareRequest request{.run = "run-1", .profiles = {wanted}};
    transaction_ = required<TransactionStatus>(agent_.ask(request)).transaction;
    return *this;
  }
  Deploy& activate() {
    required<Accepted>(agent_.ask(ActivateRequest{transaction_, "system"}));
    return *this;
  }
  Deploy& until(State state) {
    agent_.until(state);
    return *this;
  }
  Deploy& confirm() {
    const auto reply = agent_.ask(ConfirmRequest{transaction_, "system"});
    return required<Decision>(reply).state == State::confirmed ? *this : until(State::confirmed);
  }
  Deploy& revoke() {
    required<Accepted>(agent_.ask(RevokeRequest{transaction_, "system"}));
    return *this;
  }
  Deploy& abandon() {
    required<Accepted>(agent_.ask(AbandonRequest{transaction_}));
    return *this;
  }
  void finish() { required<Accepted>(agent_.ask(FinishRequest{transaction_})); }
  void read_output() {
    while (agent_.output.empty()) {
      agent_.next();
    }
  }

private:
  Conversation agent_;

public:
  PrepareRequest::Profile wanted;

private:
  std::string transaction_;
};

void good(const CutHost& host, const std::string& closure) {
  Deploy(host, closure).prepare().activate().until(State::awaiting_confirm).confirm().finish();
}

void bad(const CutHost& host, const std::string& closure, State end) {
  Deploy(host, closure).prepare().activate().until(end).finish();
}

void fails_and_stays(const CutHost& host) {
  Deploy deploy(host, "failing");
  deploy.wanted.auto_rollback = deploy.wanted.magic_rollback = false;
  deploy.prepare().activate().until(State::failed).finish();
}

void booted_after_confirm(const CutHost& host) {
  Deploy deploy(host, "new");
  deploy.wanted.boot_after_confirm = true;
  deploy.prepare().activate().until(State::awaiting_confirm).confirm().finish();
}

void in_mode(const CutHost& host, Mode mode, State end) {
  Deploy deploy(host, "new");
  deploy.wanted.mode = mode;
  deploy.prepare().activate().until(end).finish();
}

void not_confirmed(const CutHost& host) {
  Deploy deploy(host, "new");
  deploy.wanted.confirm_timeout = seconds(1);
  deploy.prepare().activate().until(State::rolled_back).finish();
}

void abandoned(const CutHost& host) {
  Deploy deploy(host, "new");
  deploy.prepare().activate().until(State::awaiting_confirm).abandon();
  deploy.until(State::rolled_back).finish();
}

void revoked(const CutHost& host, bool by_others) {
  Deploy deploy(host, "new");
  deploy.wanted.magic_rollback = false;
  deploy.prepare().activate().until(State::confirmed);
  if (by_others) {
    host.world().run({"nix-env", "--profile", host.world().path("state/profiles/system").string(),
                      "--set", host.closure("theirs")});
  }
  deploy.revoke().until(by_others ? State::superseded : State::rolled_back).finish();
}

/// One that ended long ago.
void leave_old_transaction(const CutHost& host) {
  const TransactionFiles files(host.world().state_directory(), "00000000000000aa");
  Record record;
  record.transaction = files.id();
  record.profiles.push_back({.wanted = {.name = "system", .closure = host.closure("old")}});
  write_record(files.record(), record);
  JournalFile(files.journal()).append({.step = Step::closed});
}

/// One folder whose prepare died, one transaction that nobody kept and `recover` ended.
void after_accidents(const CutHost& host) {
  {
    Deploy deploy(host, "slow");
    deploy.prepare().activate().read_output();
    host.end_agents();
  }
  host.recover();
  leave_old_transaction(host);
  std::filesystem::create_directory(host.world().state_directory() / "0123456789abcdef");
  good(host, "new");
}

/// Whether who confirms has removed the canary.
bool remove_canary(const CutHost& host) {
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(host.world().path("temp"), none)) {
    if (entry.path().extension().empty() && std::filesystem::remove(entry.path(), none)) {
      host.expect("new");
      return true;
    }
  }
  return false;
}

/// Three logins of deploy-rs, the third of which is a file's removal, in time or not.
void by_deploy_rs(const CutHost& host, bool in_time) {
  const auto program = host.world().path("activate-rs");
  std::error_code there;
  std::filesystem::create_symlink(faulty_agent_program(), program, there);
  const auto temp = host.world().path("temp").string();
  std::filesystem::remove_all(temp);
  auto activating = std::async(std::launch::async, [&] {
    return host.world().run({program, "activate", host.closure("new"), "--profile-user", "root",
                             "--profile-name", "system", "--temp-path", temp, "--confirm-timeout",
                             in_time ? "2" : "1", "--magic-rollback", "--auto-rollback"});
  });
  const auto waited = host.world().run(
      {program, "wait", host.closure("new"), "--temp-path", temp, "--activation-timeout", "20"});
  if (!in_time) {
    activating.wait();
  }
  const bool removed = waited.succeeded() && remove_canary(host);
  const auto ended = activating.get();
  if (removed != in_time || ended.succeeded() != in_time) {
    fail("wait " + waited.describe() + ", activate " + ended.describe() + ": " + ended.err);
  }
}

struct Story {
  std::string name;
  std::set<std::string> outcomes;
  std::function<void(const CutHost&)> play;
  CutHost::Before before = CutHost::Before::old_generation;
};

const std::vector<Story>& all_stories() {
  static const std::vector<Story> all = {
      {"confirmed", {"old", "new"}, [](const CutHost& host) { good(host, "new"); }},
      {"fails", {"old"}, [](const CutHost& host) { bad(host, "failing", State::rolled_back); }},
      {"fails first",
       {""},
       [](const CutHost& host) { bad(host, "failing", State::rolled_back); },
       CutHost::Before::nothing},
      {"fails where the profile is a link into the store",
       {"old"},
       [](const CutHost& host) { bad(host, "failing", State::rolled_back); },
       CutHost::Before::link_into_store},
      {"fails, and the way back, too",
       {"old"},
       [](const CutHost& host) { bad(host, "breaking", State::rollback_failed); }},
      {"fails and stays", {"old", "failing"}, fails_and_stays},
      {"dry run", {"old"}, [](const CutHost& host) { in_mode(host, Mode::dry, State::dry_run); }},
      {"for the next boot",
       {"old", "new"},
       [](const CutHost& host) { in_mode(host, Mode::boot, State::confirmed); }},
      {"booted after confirm", {"old", "new"}, booted_after_confirm},
      {"abandoned", {"old", "new"}, abandoned},
      {"revoked", {"old", "new"}, [](const CutHost& host) { revoked(host, false); }},
      {"superseded", {"old", "new", "theirs"}, [](const CutHost& host) { revoked(host, true); }},
      {"not confirmed", {"old", "new"}, not_confirmed},
      {"confirmed by deploy-rs",
       {"old", "new"},
       [](const CutHost& host) { by_deploy_rs(host, true); }},
      {"not confirmed by deploy-rs",
       {"old", "new"},
       [](const CutHost& host) { by_deploy_rs(host, false); }},
      {"after accidents", {"old", "new"}, after_accidents},
      {"next", {"next"}, [](const CutHost& host) { good(host, "next"); }},
  };
  return all;
}

const Story& story_named(const std::string& name) {
  return *std::find_if(all_stories().begin(), all_stories().end(),
                       [&](const Story& story) { return story.name == name; });
}

/// Whether its end is known.
bool look_after(Conversation& agent, const std::string& id, const ProfileStatus& status) {
  if (status.state == State::awaiting_confirm) {
    agent.ask(ConfirmRequest{id, "system"});
  } else if (status.state == State::prepared) { // nobody may have asked for more
    agent.ask(AbandonRequest{id});
    return true;
  }
  return is_final(status.state);
}

} // namespace

std::vector<std::string> stories() {
  std::vector<std::string> names;
  for (const auto& story : all_stories()) {
    names.push_back(story.name);
  }
  names.pop_back(); // "next"
  return names;
}

CutHost::Before before(const std::string& story) {
  return story_named(story).before;
}

std::set<std::string> outcomes(const std::string& story) {
  return story_named(story).outcomes;
}

void play_story(const std::string& story, const CutHost& host) {
  story_named(story).play(host);
}

void query_transaction(const CutHost& host, const std::string& id) {
  Conversation agent(host.world(), faulty_agent_program());
  const auto wait = Wait::at_most(patience);
  for (bool ended = false; !ended;) {
    const auto reply = agent.ask(StateRequest{id});
    if (const auto* refusal = std::get_if<Refusal>(&reply)) {
      if (refusal->reason == "unknown-transaction") { // it never was one
        return;
      }
      fail("refused: " + refusal->reason + ": " + refusal->message);
    }
    ended = look_after(agent, id, std::get<TransactionStatus>(reply).profiles.at(0));
    if (wait.expired()) {
      fail("its end was never known");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  required<Accepted>(agent.ask(FinishRequest{id}));
}

} // namespace belay::agent::test
