// SPDX-License-Identifier: Apache-2.0
#include "engine/run/store_work.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/nix/copy_error.h"
#include "engine/ssh/store_failure.h"

namespace belay::run {

namespace {

constexpr Duration work_login_limit = std::chrono::seconds(60);
constexpr Duration tunnel_close_limit = std::chrono::seconds(15);
constexpr int work_attempts = 2;
constexpr std::size_t longest_quotation = 2000;

/// The daemon there takes from strangers only what somebody whom it knows has signed.
std::string distrust(const std::string& path, const StoreAccess& access) {
  const auto& login = access.connection.login.user;
  const auto* profile = access.profile;
  const auto& who = access.door && profile ? profile->user : login;
  auto text = "the target's Nix daemon does not trust " + who + ", and no key that it trusts has " +
              "signed " + path + ": sign what is built (secret-key-files in the nix.conf of " +
              "whoever builds it) and add the key's public half to the target's " +
              "trusted-public-keys; or add " + who +
              " to the target's trusted-users, who can then become root there";
  if (!access.door && profile && profile->user != login) {
    text += "; or set storeSudo in the plan file: the store is then reached as " + profile->user +
            ", as the activation is, and signatures are not looked at";
  }
  return text;
}

std::string describe(const ProcessResult& process) {
  const auto said = one_line(tail(trim(process.err), longest_quotation));
  return "nix copy " + process.describe() + (said.empty() ? "" : ": " + said);
}

} // namespace

void connect_to_work(const Contact& contact, const plan::Node& node, WorkingConnection& connection,
                     const ssh::RetrySink& on_retry, const CancelToken& cancel) {
  connection.session.reset();
  connection.session =
      contact.transport.connect(address_of(node, connection.login), ssh::Purpose::work, on_retry,
                                Wait::at_most(work_login_limit, cancel));
  connection.connected_at = BootClock::now();
}

ssh::RetrySink retries_told(NodeStages& stages) {
  return [&stages](const ssh::RetryNotice& notice) {
    stages.tell(event::StageRetrying{notice.attempt, notice.max, notice.delay, notice.reason},
                event::Level::warn);
  };
}

int StoreWork::run(const StoreAccess& access, const Work& work) const {
  for (int number = 1;; ++number) {
    const auto failure = attempt(access, work);
    if (!failure) {
      return number;
    }
    cancel_.throw_if_cancelled();
    if (!failure->retry || number == work_attempts) {
      throw failure->error;
    }
    stages_.tell(
        event::StageRetrying{number, work_attempts, Duration::zero(), failure->error.message()},
        event::Level::warn);
    connect_to_work(contact_, node_, access.connection, retries_told(stages_), cancel_);
  }
}

std::optional<StoreWork::Failure> StoreWork::attempt(const StoreAccess& access,
                                                     const Work& work) const {
  const auto service = access.door ? access.door->service() : ssh::StoreService{};
  auto tunnel = access.connection.session->open_store_tunnel(
      service, Wait::at_most(work_login_limit, cancel_));
  std::string nix, whole;
  try {
    const auto process = work(*tunnel);
    if (process.succeeded()) {
      tunnel->finish(Wait::at_most(tunnel_close_limit, cancel_));
      return std::nullopt;
    }
    nix = describe(process);
    whole = process.err;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::system) {
      throw;
    }
    nix = error.message();
  }
  const auto end = tunnel->finish(Wait::at_most(tunnel_close_limit, cancel_));
  if (access.door && access.door->refusal()) {
    return Failure{false, *access.door->refusal()};
  }
  if (const auto path = nix::lacks_signature(whole)) {
    return Failure{false, Error(ErrorKind::copy_failed, distrust(*path, access) + "; " + nix)};
  }
  auto failure = explain(nix, end);
  failure.retry |= nix::met_another_copy(whole) ||
                   (end && !end->succeeded() && nix::met_another_copy(end->stderr_tail));
  return failure;
}

StoreWork::Failure StoreWork::explain(const std::string& nix,
                                      const std::optional<ssh::ChannelEnd>& end) {
  if (!end || end->succeeded()) {
    return {false, Error(ErrorKind::copy_failed, nix)};
  }
  const auto remote = ssh::store_failure(*end);
  return {!end->clean, Error(remote.kind(), remote.message() + "; " + nix)};
}

} // namespace belay::run
