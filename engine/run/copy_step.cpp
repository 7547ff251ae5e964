// SPDX-License-Identifier: Apache-2.0
#include "engine/run/copy_step.h"

#include "engine/base/error.h"
#include "engine/run/agent_choice.h"
#include "engine/run/copy_progress.h"
#include "engine/run/open_transactions.h"
#include "engine/run/stage_report.h"
#include "engine/run/store_work.h"
#include "engine/run/target_build.h"

#include <utility>

namespace belay::run {

using event::Stage;

namespace {

// A copy may take long, a login or an agent's answer may not.
constexpr Duration answer_limit = std::chrono::seconds(60);
/// A connection that was made before the build is worked over if the build was short. After a long
/// one nobody knows whether the other side still has it: nothing kept it alive.
constexpr Duration kept_limit = std::chrono::seconds(15);
constexpr Duration sign_limit = std::chrono::hours(1);
constexpr Duration copy_limit = std::chrono::hours(6);

class CopyNode {
public:
  CopyNode(const CopyTools& tools, const plan::Node& node, NodeLink& link, StepContext& context)
      : tools_(tools), node_(node), link_(link), context_(context),
        stages_(context, node, StepKind::copy),
        work_(tools.contact, node, stages_, context.work()) {}

  NodeResult run(NodeIndex index) {
    NodeResult result;
    result.node = index;
    try {
      sign_all();
      build_all();
      copy_all();
      open_transactions({tools_.contact, node_, link_, stages_, context_.work()});
    } catch (Error& error) {
      link_.drop();
      result.outcome = outcome_of(error);
      result.reason = error.reason();
      result.message = error.message();
      stages_.fail_running(result.outcome, result.reason, result.message);
    }
    return result;
  }

private:
  Wait within(Duration limit) const { return Wait::at_most(limit, context_.work()); }

  /// Before anybody is asked for anything.
  void sign_all() {
    for (const auto& profile : node_.profiles) {
      if (profile.signing_key) {
        stages_.start(profile, Stage::sign);
        tools_.store.sign(profile.path, *profile.signing_key, within(sign_limit));
        stages_.finish(profile, Stage::sign, {});
      }
    }
  }

  /// Before anything is copied: what cannot be built there need not have anything.
  void build_all() {
    for (const auto& profile : node_.profiles) {
      if (profile.remote_build) {
        stages_.start(profile, Stage::build);
        auto& connection = connected(profile);
        const auto door = door_for(profile, connection);
        build_on_target({tools_.store, work_, node_, stages_, context_.work()}, profile,
                        {connection, &profile, door.get()});
        if (!connection.agent) {
          take_built_agent(profile, connection, within(answer_limit));
        }
      }
    }
  }

  void copy_all() {
    for (const auto& profile : node_.profiles) {
      stages_.start(profile, Stage::copy);
      auto& connection = connected(profile);
      if (!connection.agent) { // whoever could have brought one has not
        throw tools_.agents.missing(connection.foreign);
      }
      const auto door = door_for(profile, connection);
      std::vector<StorePath> paths;
      if (!connection.agent_there) {
        paths.push_back(*connection.agent);
      }
      if (!profile.remote_build) {
        paths.push_back(profile.path);
      }
      copy(profile, {connection, &profile, door.get()}, paths);
      connection.agent_there = true; // the first copy over a connection has brought it
    }
  }

  /// Its working connection, with the agent for the system that answers there.
  WorkingConnection& connected(const plan::Profile& profile) {
    auto& connection = link_.connection_by(profile.login);
    if (std::exchange(connection.in_use, true)) {
      return connection;
    }
    if (!connection.session || BootClock::now() - connection.connected_at > kept_limit) {
      connect_to_work(tools_.contact, node_, connection, retries_told(stages_), context_.work());
    }
    if (!connection.agent && connection.foreign.empty()) {
      look_for_agent(tools_.agents, node_, connection, within(answer_limit));
    }
    if (!connection.agent) {
      choose_agent(tools_.agents, node_, connection, within(answer_limit));
      if (connection.agent) {
        stages_.log("agent", "this belay has no agent for " + connection.foreign +
                                 ": the closure's own is used");
      }
    }
    return connection;
  }

  /// The way through sudo, where the profile has the setting for it; null = none. It leads through
  /// the agent, which the login can bring by itself: it needs no signature.
  std::unique_ptr<StoreDoor> door_for(const plan::Profile& profile, WorkingConnection& connection) {
    if (!profile.store_sudo) {
      return nullptr;
    }
    if (!connection.agent) {
      throw tools_.agents.missing(connection.foreign);
    }
    if (!connection.agent_there) {
      work_.run({connection, &profile}, [&](ssh::StoreTunnel& tunnel) {
        return tools_.store
            .copy({.paths = {*connection.agent}, .store_uri = tunnel.store_uri()}, {},
                  within(copy_limit))
            .process;
      });
      connection.agent_there = true;
    }
    stages_.log("nix", "storeSudo: the store there is worked on as " + profile.user +
                           ", for whom no signature is checked where the daemon trusts that user");
    auto start = start_for(tools_.contact, profile, connection.agent->string());
    start.verb = "store";
    return std::make_unique<StoreDoor>(std::move(start));
  }

  void copy(const plan::Profile& profile, const StoreAccess& access,
            const std::vector<StorePath>& paths) {
    event::StageFinished done;
    done.bytes = 0;
    done.changed = false;
    if (access.door) {
      done.details["store_access"] = "sudo";
    }
    if (!paths.empty()) {
      done.attempts = work_.run(access, [&](ssh::StoreTunnel& tunnel) {
        return copy_through(tunnel, profile, paths, done);
      });
    }
    stages_.finish(profile, Stage::copy, std::move(done));
  }

  ProcessResult copy_through(const ssh::StoreTunnel& tunnel, const plan::Profile& profile,
                             const std::vector<StorePath>& paths, event::StageFinished& done) {
    nix::CopyRequest request;
    request.paths = paths;
    request.store_uri = tunnel.store_uri();
    request.substitute = !profile.fast_connection;
    request.check_signatures = tools_.check_signatures;
    const auto outcome = copy_telling(request, tunnel, *done.bytes);
    *done.bytes += tunnel.bytes_sent();
    done.changed = !outcome.copied.empty();
    return outcome.process;
  }

  nix::CopyOutcome copy_telling(const nix::CopyRequest& request, const ssh::StoreTunnel& tunnel,
                                std::uint64_t sent_before) {
    CopyProgress progress(
        {[&] { return tunnel.bytes_sent(); },
         [&](const Wait& wait) {
           return tools_.store.missing_paths(request.paths, request.store_uri, wait);
         },
         [&](const std::vector<StorePath>& paths, const Wait& wait) {
           return tools_.store.archive_bytes(paths, wait);
         }},
        [&](event::StageProgress sent) {
          sent.bytes += sent_before; // what arrived in an earlier attempt is not missing any more
          if (sent.bytes_expected) {
            *sent.bytes_expected += sent_before;
          }
          stages_.tell(sent, event::Level::debug);
        });
    const auto listen = [&](const nix::Progress& said) {
      progress.take(said);
      if (said.kind == nix::Progress::Kind::log) {
        stages_.log("nix", said.text);
      }
    };
    return tools_.store.copy(request, listen, within(copy_limit));
  }

  const CopyTools& tools_;
  const plan::Node& node_;
  NodeLink& link_;
  StepContext& context_;
  NodeStages stages_;
  StoreWork work_;
};

} // namespace

NodeResult copy_node(const CopyTools& tools, const plan::Node& node, NodeIndex index,
                     NodeLink& link, StepContext& context) {
  return CopyNode(tools, node, link, context).run(index);
}

} // namespace belay::run
