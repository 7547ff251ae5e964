// SPDX-License-Identifier: Apache-2.0
#include "engine/run/copy_step.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/nix/trust.h"
#include "engine/run/copy_progress.h"
#include "engine/run/open_transactions.h"
#include "engine/run/stage_report.h"
#include "engine/ssh/store_failure.h"

#include <algorithm>

namespace belay::run {

using event::Stage;

namespace {

// A copy may take long, a login or an agent's answer may not.
constexpr Duration work_login_limit = std::chrono::seconds(60);
constexpr Duration copy_limit = std::chrono::hours(6);
constexpr Duration tunnel_close_limit = std::chrono::seconds(15);
constexpr int copy_attempts = 2;

class CopyNode {
public:
  CopyNode(const CopyTools& tools, const plan::Node& node, NodeLink& link, StepContext& context)
      : tools_(tools), node_(node), link_(link), context_(context),
        stages_(context, node, {Stage::copy, Stage::lock}) {}

  NodeResult run(NodeIndex index) {
    NodeResult result;
    result.node = index;
    try {
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

  void copy_all() {
    for (const auto& profile : node_.profiles) {
      stages_.start(profile, Stage::copy);
      auto& connection = link_.connection_by(profile.login);
      std::vector<StorePath> paths;
      if (!connection.session) { // its first copy brings the agent, too
        connect(connection);
        connection.agent = tools_.agents.find(*connection.session, within(work_login_limit));
        paths.push_back(*connection.agent);
      }
      paths.push_back(profile.path);
      copy(profile, connection, paths);
    }
  }

  void connect(WorkingConnection& connection) {
    const auto on_retry = [this](const ssh::RetryNotice& notice) {
      stages_.tell(event::StageRetrying{notice.attempt, notice.max, notice.delay, notice.reason},
                   event::Level::warn);
    };
    connection.session =
        tools_.contact.transport.connect(address_of(node_, connection.login), ssh::Purpose::work,
                                         on_retry, within(work_login_limit));
  }

  void copy(const plan::Profile& profile, WorkingConnection& connection,
            const std::vector<StorePath>& paths) {
    event::StageFinished done;
    for (int attempt = 1;; ++attempt) {
      const auto failure = try_copy(profile, *connection.session, paths, done);
      done.attempts = attempt;
      if (!failure) {
        break;
      }
      context_.work().throw_if_cancelled();
      if (!failure->retry || attempt == copy_attempts) {
        throw failure->error;
      }
      stages_.tell(
          event::StageRetrying{attempt, copy_attempts, Duration::zero(), failure->error.message()},
          event::Level::warn);
      connection.session.reset();
      connect(connection);
    }
    stages_.finish(profile, Stage::copy, std::move(done));
  }

  /// The daemon there takes from strangers only what somebody whom it knows has signed.
  static std::string distrust(const std::string& path, const std::string& login) {
    return "the target's Nix daemon does not trust " + login + ", and no key that it trusts has " +
           "signed " + path + ": sign what is built (secret-key-files in the nix.conf of whoever " +
           "builds it) and add the key's public half to the target's trusted-public-keys; or add " +
           login + " to the target's trusted-users, who can then become root there";
  }

  struct Failure {
    bool retry = false;
    Error error;
  };

  std::optional<Failure> try_copy(const plan::Profile& profile, ssh::Session& session,
                                  const std::vector<StorePath>& paths, event::StageFinished& done) {
    auto tunnel = session.open_store_tunnel(within(work_login_limit));
    nix::CopyRequest request;
    request.paths = paths;
    request.store_uri = tunnel->store_uri();
    request.substitute = !profile.fast_connection;
    const auto outcome = copy_telling(request, *tunnel, done.bytes.value_or(0));
    done.bytes = done.bytes.value_or(0) + tunnel->bytes_sent();
    done.changed = !outcome.copied.empty();
    const auto end = tunnel->finish(Wait::at_most(tunnel_close_limit, context_.work()));
    if (outcome.process.succeeded()) {
      return std::nullopt;
    }
    return explain(outcome.process, end, profile.login.user);
  }

  nix::CopyOutcome copy_telling(const nix::CopyRequest& request, const ssh::StoreTunnel& tunnel,
                                std::uint64_t sent_before) {
    CopyProgress progress(
        {[&] { return tunnel.bytes_sent(); },
         [&](const Wait& wait) { return tools_.store.closure_size(request.paths, wait); }},
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

  /// Nix says no more than "unexpected end-of-file" for a missing command or a refusal: the remote
  /// end's own words come first.
  static Failure explain(const ProcessResult& process, const std::optional<ssh::ChannelEnd>& end,
                         const std::string& login) {
    const auto said = one_line(tail(trim(process.err), 2000));
    const auto nix = "nix copy " + process.describe() + (said.empty() ? "" : ": " + said);
    if (const auto unsigned_path = nix::lacks_signature(process.err)) {
      return {false, Error(ErrorKind::copy_failed, distrust(*unsigned_path, login) + "; " + nix)};
    }
    if (!end || end->succeeded()) {
      return {false, Error(ErrorKind::copy_failed, nix)};
    }
    const auto remote = ssh::store_failure(*end);
    return {!end->clean, Error(remote.kind(), remote.message() + "; " + nix)};
  }

  const CopyTools& tools_;
  const plan::Node& node_;
  NodeLink& link_;
  StepContext& context_;
  NodeStages stages_;
};

} // namespace

NodeResult copy_node(const CopyTools& tools, const plan::Node& node, NodeIndex index,
                     NodeLink& link, StepContext& context) {
  return CopyNode(tools, node, link, context).run(index);
}

} // namespace belay::run
