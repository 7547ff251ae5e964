// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/protocol.h"
#include "engine/nix/nix_store.h"
#include "engine/ssh/transport.h"
#include "tests/fakes/fake_sudo.h"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

// A world of targets in memory: what each has in its store, its profile's generations, whether it
// can be reached, and an agent that decides as the real one does. It simulates the state, not the
// calls: a test says what a closure's activation does to its host, runs the real steps against it,
// and reads what has become of the host.

namespace belay::fakes {

/// What activating a closure does.
struct Script {
  int exit_status = 0;
  int boot_exit_status = 0;        ///< of making it the boot default after the confirmation
  bool cuts_network = false;       ///< the host is unreachable from then on, until it rolls back
  bool drops_connections = false;  ///< open connections die, new ones work
  bool hushes_connections = false; ///< nothing comes over open ones any more, new ones work
  std::function<void()> meanwhile = {}; ///< called while it runs
  bool for_ever = false;                ///< it never ends
};

struct FakeTransaction {
  struct Profile {
    agent::PrepareRequest::Profile request;
    agent::State state = agent::State::prepared;
    std::string reason;
    agent::Generation recorded;
    std::optional<int> made;
    Instant confirm_by{};
    int boot_looks = 1; ///< how many looks the boot script takes
  };
  std::string id;
  std::string place; ///< the state directory that it locks
  std::string run;   ///< that opened it
  std::string node;  ///< of that run's plan
  std::vector<Profile> profiles;
  bool abandoned = false;
  bool finished = false;
  int looks = 0; ///< questions for its state, which keep it open
};

/// One target. Where ssh options hold `-p PORT`, it is another one: "NAME:PORT".
struct FakeHost {
  bool reachable = true;
  bool refuses_confirm = false;     ///< nothing may log in any more, open connections live on
  bool opens_when_back = false;     ///< …until the old generation's script ran
  bool loses_confirm_reply = false; ///< the connection dies between decision and reply, once
  bool rollback_fails = false;
  bool refuses_activate = false;
  bool fails_after_activate = false; ///< it obeys, and its reply is a refusal
  int states_refused = 0;            ///< so many of the next questions for the state, with "system"
  bool keeps_log = true;             ///< else it refuses to tell any
  bool fails_after_revoke = false;   ///< it obeys, and its reply is a refusal
  std::function<void()> on_revoke = {}; ///< it has been asked to, and has not answered yet
  bool confirms_by_itself = false;      ///< as if a confirmation had won whose reply was lost
  int refused_logins = 0;               ///< so many of the next confirm logins
  std::string login_exception = {}; ///< of each confirm login: one that is no Error; empty = none
  std::string log = "what the host did\n"; ///< of each transaction
  std::size_t log_part = 7;                ///< bytes of it that go into one reply
  int log_requests = 0;
  std::vector<agent::EarlierTransaction> earlier; ///< told by prepare
  std::string lock_holder;                        ///< another run that holds the lock
  int lock_meetings = -1; ///< so many requests meet it, then it is free; -1: all
  std::map<std::string, std::string> lock_details; ///< beside the run
  int cut_prepare = 0; ///< the connection dies between this one, from 1, and its reply
  int prepares = 0;
  std::map<std::string, std::function<bool()>> prepare_ready; ///< by user: whether it is answered
  std::string uname = "Linux x86_64";
  std::string nix_settings = "max-jobs = 4\ncores = 2\n"; ///< what a Nix of it prints of these
  std::string built_agent;       ///< printed where one is looked for in what was built there
  std::set<std::string> built;   ///< by itself
  nix::BuildCapacity built_with; ///< what it was told for that
  std::function<void()> while_building = {};
  bool refuses_sources = false; ///< of what it is to build
  FakeSudo sudo;
  std::vector<std::string> store_errors; ///< of its Nix: one is said, and ends each next tunnel
  std::set<std::string> store;
  std::map<std::string, std::vector<std::string>>
      generations;                                 ///< by profile name, the last is current
  std::map<std::string, std::string> boot_default; ///< by profile name
  bool old_agent = false;                          ///< one that does not know boot_after_confirm
  std::vector<std::string> tried;                  ///< closures of dry runs, in order
  std::vector<std::string> activated;              ///< closures whose script ran, in order
  std::map<std::string, FakeTransaction> transactions;
  int connections = 0, confirm_connections = 0;
  std::set<std::string> closed_logins; ///< nobody can confirm over these: "USER OPTION…"
  bool checked_signatures = false;     ///< the last copy came with signatures checked
  std::map<std::string, std::string> brought_by;   ///< login, by store path
  std::map<std::string, std::string> confirmed_by; ///< login, by profile
  std::map<std::string, std::string> activated_by; ///< login, by profile
  int hushed = 0;                                  ///< raised when open connections fall silent
  int epoch = 0;                                   ///< raised when open connections die
};

class FakeWorld {
public:
  std::map<std::string, FakeHost> hosts;
  std::map<std::string, Script> scripts;        ///< by closure; others end well
  std::set<std::string> local_store;            ///< valid on the runner
  std::set<std::string> unbuildable;            ///< outputs
  std::set<std::string> inert;                  ///< outputs that nothing activates
  std::set<std::string> bringing;               ///< outputs that bring an agent
  std::set<std::string> mentioning;             ///< derivations that mention one
  std::map<std::string, std::string> systems;   ///< of derivations; of others nobody knows
  std::set<std::string> bad_keys;               ///< files that hold no secret key
  std::set<std::string> unwritable;             ///< links that cannot be made
  std::map<std::string, std::string> signed_by; ///< key file, by store path
  std::map<std::string, std::string> links;     ///< store path, by link
  mutable std::recursive_mutex mutex;           ///< guards everything above while steps run

  std::unique_ptr<ssh::Transport> transport();
  std::unique_ptr<nix::NixStore> store();

  /// What the agent of `host` that works in state directory `place` does with a request;
  /// StatusChanged and the like go to `tell`.
  agent::ReplyBody handle(FakeHost& host, const std::string& place, const agent::RequestBody& body,
                          const std::function<void(agent::Message)>& tell);
  /// Lets deadlines pass.
  void tick(FakeHost& host, const std::function<void(agent::Message)>& tell);
  agent::ProfileStatus status(const FakeHost& host, const FakeTransaction::Profile& profile) const;

private:
  using Tell = std::function<void(agent::Message)>;
  int opened_ = 0; ///< transactions, on all hosts
  agent::ReplyBody prepare(FakeHost& host, const std::string& place,
                           const agent::PrepareRequest& request);
  void activate(FakeHost& host, FakeTransaction& transaction, FakeTransaction::Profile& profile,
                const Tell& tell);
  void try_out(FakeHost& host, FakeTransaction& transaction, FakeTransaction::Profile& profile,
               const Tell& tell);
  void roll_back(FakeHost& host, FakeTransaction& transaction, FakeTransaction::Profile& profile,
                 const std::string& reason, const Tell& tell);
  void set_boot_default(FakeHost& host, FakeTransaction& transaction,
                        FakeTransaction::Profile& profile, const Tell& tell);
  agent::TransactionStatus describe(const FakeHost& host, const FakeTransaction& transaction) const;
};

/// /nix/store/HASH-NAME with a hash made from the name.
StorePath fake_path(const std::string& name);

} // namespace belay::fakes
