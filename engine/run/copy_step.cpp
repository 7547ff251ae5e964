// SPDX-License-Identifier: Apache-2.0
#include "engine/run/copy_step.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/run/stage_report.h"
#include "engine/ssh/store_failure.h"

#include <algorithm>

namespace belay::run {

using event::Stage;

namespace {

// A copy may take long, a login or an agent's answer may not.
constexpr Duration login_limit = std::chrono::seconds(60);
constexpr Duration copy_limit = std::chrono::hours(6);
constexpr Duration agent_start_limit = std::chrono::seconds(60);
// prepare may first have to end an earlier deploy that nobody kept, its confirm timeout included.
constexpr Duration prepare_limit = std::chrono::minutes(6);
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
      lock_all();
    } catch (Error& error) {
      release();
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
    bool first = true;
    for (const auto& profile : node_.profiles) {
      stages_.start(profile, Stage::copy);
      if (first) {
        connect();
        agent_ = tools_.agents.find(*link_.session, within(login_limit));
        // Started once the agent is there, so that the first copy brings both.
        paths_ = {*agent_};
        first = false;
      }
      paths_.push_back(profile.path);
      copy(profile);
      paths_.clear();
    }
  }

  void connect() {
    const auto on_retry = [this](const ssh::RetryNotice& notice) {
      stages_.tell(event::StageRetrying{notice.attempt, notice.max, notice.delay, notice.reason},
                   event::Level::warn);
    };
    link_.session = tools_.contact.transport.connect(address_of(node_), ssh::Purpose::work,
                                                     on_retry, within(login_limit));
  }

  void copy(const plan::Profile& profile) {
    event::StageFinished done;
    for (int attempt = 1;; ++attempt) {
      const auto failure = try_copy(profile, done);
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
      link_.session.reset();
      connect();
    }
    stages_.finish(profile, Stage::copy, std::move(done));
  }

  struct Failure {
    bool retry = false;
    Error error;
  };

  std::optional<Failure> try_copy(const plan::Profile& profile, event::StageFinished& done) {
    auto tunnel = link_.session->open_store_tunnel(within(login_limit));
    nix::CopyRequest request;
    request.paths = paths_;
    request.store_uri = tunnel->store_uri();
    request.substitute = !profile.fast_connection;
    const auto log = [this](const nix::Progress& progress) {
      if (progress.kind == nix::Progress::Kind::log) {
        stages_.log("nix", progress.text);
      }
    };
    const auto outcome = tools_.store.copy(request, log, within(copy_limit));
    done.bytes = done.bytes.value_or(0) + tunnel->bytes_sent();
    done.changed = !outcome.copied.empty();
    const auto end = tunnel->finish(Wait::at_most(tunnel_close_limit, context_.work()));
    if (outcome.process.succeeded()) {
      return std::nullopt;
    }
    return explain(outcome.process, end);
  }

  /// Nix says no more than "unexpected end-of-file" for a missing command or a refusal: the remote
  /// end's own words come first.
  static Failure explain(const ProcessResult& process, const std::optional<ssh::ChannelEnd>& end) {
    const auto said = one_line(tail(trim(process.err), 2000));
    const auto nix = "nix copy " + process.describe() + (said.empty() ? "" : ": " + said);
    if (!end || end->succeeded()) {
      return {false, Error(ErrorKind::copy_failed, nix)};
    }
    const auto remote = ssh::store_failure(*end);
    return {!end->clean, Error(remote.kind(), remote.message() + "; " + nix)};
  }

  void lock_all() {
    start_agents();
    for (auto& owner : link_.owners) {
      lock(owner);
    }
  }

  void start_agents() {
    for (const auto& profile : node_.profiles) {
      const auto same = [&](const Owner& owner) { return owner.user == profile.user; };
      if (const auto known = std::find_if(link_.owners.begin(), link_.owners.end(), same);
          known != link_.owners.end()) {
        known->profiles.push_back(&profile);
        continue;
      }
      Owner owner;
      owner.user = profile.user;
      owner.command = serve_command(
          profile.sudo, profile.user == node_.ssh_user ? "" : profile.user, agent_->string());
      owner.profiles = {&profile};
      link_.owners.push_back(std::move(owner));
    }
  }

  void lock(Owner& owner) {
    const auto& first = *owner.profiles.front();
    stages_.start(first, Stage::lock);
    owner.link.session = link_.session;
    owner.link.client =
        std::make_unique<AgentClient>(*link_.session, owner.command, within(agent_start_limit));
    const auto reply = owner.link.client->call(prepare_request(owner), within(prepare_limit));
    if (const auto* refusal = std::get_if<agent::Refusal>(&reply)) {
      throw error_of(*refusal);
    }
    const auto* status = std::get_if<agent::TransactionStatus>(&reply);
    if (status == nullptr) {
      throw Error(ErrorKind::protocol, "the agent answered prepare with something else");
    }
    owner.transaction = status->transaction;
    tell_earlier(*status);
    for (const auto* profile : owner.profiles) {
      if (profile != &first) {
        stages_.start(*profile, Stage::lock);
      }
      event::StageFinished done;
      done.generation_before = status_of(*status, profile->name).recorded.number;
      done.details = status->details;
      stages_.finish(*profile, Stage::lock, std::move(done));
    }
  }

  agent::PrepareRequest prepare_request(const Owner& owner) const {
    agent::PrepareRequest request;
    request.run = tools_.contact.run;
    request.holder_url = tools_.contact.holder_url;
    // The path of the store object that holds the program: the agent is a file of its own.
    request.agent = agent_->string();
    for (const auto* profile : owner.profiles) {
      request.profiles.push_back({profile->name, profile->profile_path, profile->path.string(),
                                  profile->auto_rollback, profile->magic_rollback,
                                  profile->confirm_timeout, profile->activation_timeout});
    }
    return request;
  }

  void tell_earlier(const agent::TransactionStatus& status) {
    for (const auto& earlier : status.earlier) {
      for (const auto& profile : earlier.profiles) {
        stages_.log("agent", "an earlier deploy (run " + earlier.run + ") left profile " +
                                 profile.name + " " + std::string(name_of(profile.state)) +
                                 (profile.message.empty() ? "" : ": " + profile.message));
      }
    }
  }

  /// Gives back the locks that were taken already; nothing was changed under them.
  void release() {
    for (auto& owner : link_.owners) {
      if (owner.transaction.empty() || !owner.link.client) {
        continue;
      }
      try {
        owner.link.client->call(agent::FinishRequest{owner.transaction},
                                Wait::at_most(silence_limit));
      } catch (const Error& error) {
        stages_.log("agent", std::string("the lock is left to the target: ") + error.what());
      }
    }
    link_.drop();
  }

  const CopyTools& tools_;
  const plan::Node& node_;
  NodeLink& link_;
  StepContext& context_;
  NodeStages stages_;
  std::optional<StorePath> agent_;
  std::vector<StorePath> paths_;
};

} // namespace

NodeResult copy_node(const CopyTools& tools, const plan::Node& node, NodeIndex index,
                     NodeLink& link, StepContext& context) {
  return CopyNode(tools, node, link, context).run(index);
}

} // namespace belay::run
