// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/openssh_connector.h"

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/text.h"
#include "engine/ssh/base64.h"
#include "engine/ssh/control_master.h"
#include "engine/ssh/identity_file.h"
#include "engine/ssh/link_session.h"
#include "engine/ssh/ssh_options.h"

#include <algorithm>
#include <set>

namespace belay::ssh {
namespace {

using Nature = ConnectFailure::Nature;
using Words = std::vector<std::string>;

constexpr const char* known_name = "belay-node"; // in a known_hosts file of one line
constexpr std::size_t file_cap = 64 * 1024;

void append(Words& words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
}

std::string seconds(Duration duration) {
  const auto whole = std::chrono::ceil<std::chrono::seconds>(duration).count();
  return std::to_string(std::max<std::int64_t>(whole, 1));
}

std::string name_of(const Hop& hop) {
  return hop.name + " (" + hop.host.user + "@" + host_and_port(hop.host.hostname, hop.host.port) +
         ")";
}

// A jump host's key is remembered apart: the same host as a node may have been asked for another.
std::string place_of(const Hop& hop) {
  return "jump host " + host_and_port(hop.host.hostname, hop.host.port);
}

PresentedKey key_in(const SshLog& log) {
  return {log.host_key_type, "", log.host_key_fingerprint};
}

LoginFacts facts_of(const ResolvedHost& host, TrustedKey trusted) {
  return {host.user, trusted, unusable_identities(host.identity_files)};
}

// Where a login was when its time was over.
std::string stage_of(const SshLog& log, const ResolvedHost& host) {
  const std::string stage = log.host_key_type.empty() ? "exchanging keys" : "logging in";
  // ssh asks the agent for its keys early, and waits for it without a limit.
  if (host.agent_socket.empty() || !log.tried.empty())
    return stage + ": timed out";
  return stage + ": timed out; does the ssh-agent at " + host.agent_socket + " answer?";
}

// `ssh -G` prints the files of a list with blanks between them and without quotes: where a name has
// one itself, nobody but ssh knows which they are. Older ones print %h as it is.
bool knows_user_files(const ResolvedHost& host) {
  return std::ranges::all_of(host.user_known_hosts, [](const std::string& file) {
    return file.starts_with('/') && file.find_first_of("%$\"\\") == std::string::npos;
  });
}

// The line that ssh wrote into our file for a host that it did not know.
std::string new_blob(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored))
    return "";
  const auto words = split_white_space(read_file(file, file_cap));
  return words.size() < 3 ? "" : base64_decode(words[2]).value_or("");
}

} // namespace

/// One attempt on its way.
struct OpensshConnector::Login {
  const ConnectAttempt& attempt;
  Route route;
  Duration handshake_limit;
  std::filesystem::path folder{};
  TrustedKey trusted = TrustedKey::configured;
  std::string proxy{}; ///< ProxyCommand that leads through the hops

  bool refuses_unknown(const HostKeyExpectation& expectation) const {
    return attempt.host.strict_host_keys == StrictHostKeys::yes ||
           (attempt.host.strict_host_keys == StrictHostKeys::accept_new &&
            std::ranges::any_of(expectation.known, [](const KnownKey& key) {
              return key.mark != KnownKey::Mark::authority;
            }));
  }
};

std::unique_ptr<Session> OpensshConnector::connect_once(const ConnectAttempt& attempt) {
  if (shared_.options.ssh_program.empty())
    throw Error(ErrorKind::transport_unsupported,
                "there is no ssh program in PATH; install OpenSSH's client");
  Login login{attempt, find_route(shared_.config, attempt.address, attempt.host, attempt.wait),
              attempt.handshake_limit(shared_.options.connect_timeout)};
  const auto places = enter_gates(login);
  // Short: a unix socket's path has at most 107 bytes, and a TMPDIR may be long.
  auto folder = std::make_unique<TemporaryDirectory>("/tmp/b.");
  login.folder = folder->path();
  run_ssh(login);
  std::shared_ptr<ControlMaster> master;
  try {
    master = std::make_shared<ControlMaster>(std::move(folder), attempt.who, attempt.wait);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unreachable)
      throw;
    throw ConnectFailure(error.kind(), "the connection was lost after the login",
                         Nature::temporary);
  }
  judge_keys(login);
  return std::make_unique<LinkSession>(std::move(master), login.route.path());
}

// In one order for all, so that no two wait for each other.
std::vector<HandshakeGate::Place> OpensshConnector::enter_gates(const Login& login) {
  std::vector<HandshakeGate::Place> places;
  if (login.attempt.purpose == Purpose::confirm)
    return places;
  std::set<std::string> destinations{login.attempt.destination};
  for (const auto& hop : login.route.hops)
    destinations.insert(host_and_port(hop.host.hostname, hop.host.port));
  if (!login.route.proxy_command.empty())
    destinations.insert(login.route.proxy_command);
  for (const auto& destination : destinations)
    places.push_back(shared_.gate.enter(destination, login.attempt.wait));
  return places;
}

Words OpensshConnector::trust_only(Login& login, const KnownKey& key, TrustedKey why) {
  login.trusted = why;
  const auto file = login.folder / "trusted";
  replace_file(file,
               std::string(known_name) + " " + key.type + " " + base64_encode(key.blob) + "\n",
               {.mode = 0600});
  Words words = {"-o", std::string("HostKeyAlias=") + known_name,
                 "-o", "UserKnownHostsFile=" + file.string(),
                 "-o", "GlobalKnownHostsFile=/dev/null",
                 "-o", "StrictHostKeyChecking=yes",
                 "-o", "VerifyHostKeyDNS=no"};
  if (login.attempt.host.known_hosts_command) // an older ssh does not know it
    append(words, {"-o", "KnownHostsCommand=none"});
  return words;
}

Words OpensshConnector::host_key_options(Login& login) {
  const auto& host = login.attempt.host;
  const auto expectation = shared_.host_keys.expect(login.attempt);
  if (expectation.pinned)
    return trust_only(login, *expectation.pinned, TrustedKey::pinned);
  if (expectation.seen && !expectation.seen->blob.empty())
    return trust_only(login,
                      {KnownKey::Mark::none, expectation.seen->type, expectation.seen->blob, ""},
                      TrustedKey::seen);
  if (login.refuses_unknown(expectation))
    return {"-o", "StrictHostKeyChecking=yes"};
  // ssh writes a key that it accepts into the first file: one of ours, so that it is we who write
  // it down, in the way of both transports.
  const bool no = host.strict_host_keys == StrictHostKeys::no;
  Words words = {"-o", std::string("StrictHostKeyChecking=") + (no ? "no" : "accept-new")};
  if (!knows_user_files(host))
    return words; // in its own way, then
  auto files = (login.folder / "known").string();
  for (const auto& file : host.user_known_hosts)
    files += " " + file;
  append(words, {"-o", "UserKnownHostsFile=" + files, "-o", "HashKnownHosts=no"});
  return words;
}

Words OpensshConnector::command_line(Login& login) {
  const auto& attempt = login.attempt;
  const auto& options = shared_.options;
  const auto given = parse_ssh_options(attempt.address.ssh_opts);
  const auto target = parse_target(attempt.address.hostname);
  const Words limits = {"-o", "ConnectTimeout=" + seconds(login.handshake_limit),
                        "-o", "ConnectionAttempts=1",
                        "-o", "UpdateHostKeys=no",
                        "-o", "AddKeysToAgent=no"};
  login.proxy =
      write_route(login.folder, login.route, {options.ssh_program, hop_options(given), limits});
  auto alive = options.keep_alive;
  if (attempt.host.alive_interval > Duration::zero())
    alive = {attempt.host.alive_interval, std::max(attempt.host.alive_count, 1)};
  Words words = {options.ssh_program};
  append(words, fixed_ssh_options());
  append(words, limits);
  append(words, {"-o", "ControlMaster=yes", "-o",
                 "ControlPersist=" + std::to_string(ControlMaster::persist_seconds), "-o",
                 "ServerAliveInterval=" + seconds(alive.interval), "-o",
                 "ServerAliveCountMax=" + std::to_string(alive.count)});
  append(words, host_key_options(login));
  if (!login.proxy.empty())
    append(words, {"-o", "ProxyCommand=" + login.proxy});
  append(words, target_options(attempt.address, target));
  append(words, connection_options(given, login.proxy.empty() ? KeepProxy::yes : KeepProxy::no));
  append(words, {"-v", "-E", ControlMaster::log_in(login.folder), "-f", "-N", "-S",
                 ControlMaster::socket_in(login.folder), "--", target.host});
  return words;
}

// ssh goes into the background once it is logged in. Nothing of it writes into our pipes then: one
// that did would be killed by that.
void OpensshConnector::run_ssh(Login& login) {
  ProcessSpec spec;
  spec.argv = command_line(login);
  spec.term_grace = std::chrono::seconds(1);
  const auto hops = static_cast<int>(login.route.hops.size());
  const auto limit = login.attempt.purpose == Purpose::confirm
                         ? login.attempt.wait.left() // whoever confirms knows how long it may take
                         : (hops + 1) * login.handshake_limit + shared_.options.login_timeout;
  const auto result = shared_.processes.run(spec, login.attempt.wait.within(limit));
  if (result.succeeded())
    return;
  end_master(login.folder); // it may have gone into the background at the last moment
  fail(login, result);
}

void OpensshConnector::end_master(const std::filesystem::path& folder) {
  try {
    const auto limit = Wait::at_most(std::chrono::seconds(1));
    MuxSocket socket(ControlMaster::socket_in(folder), limit);
    socket.send(MuxMessage::Type::terminate, 1);
    for (;;)
      socket.receive(limit, "ending the control master");
  } catch (const Error&) {
    // There is none, or it has ended, or it ends by itself without a client.
  }
}

void OpensshConnector::judge_keys(const Login& login) {
  const auto& attempt = login.attempt;
  for (std::size_t i = 0; i < login.route.hops.size(); ++i) {
    const auto log = read_ssh_log(hop_log(login.folder, i));
    const auto& hop = login.route.hops[i];
    judge_key(log, place_of(hop), "jump host " + name_of(hop) + ": ");
    shared_.host_keys.remember(place_of(hop), key_in(log));
  }
  const auto log = read_ssh_log(ControlMaster::log_in(login.folder));
  judge_key(log, attempt.place, "");
  auto key = key_in(log);
  if (login.trusted != TrustedKey::configured) {
    shared_.host_keys.accepted(attempt, key, HostKeyVerdict::accepted);
    return;
  }
  key.blob = new_blob(login.folder / "known");
  const bool no = attempt.host.strict_host_keys == StrictHostKeys::no;
  const bool added_by_ssh = key.blob.empty() && log.says("Permanently added");
  const bool unchecked =
      no && (!key.blob.empty() || added_by_ssh || log.says("IDENTIFICATION HAS CHANGED"));
  if (added_by_ssh && !no)
    shared_.host_keys.tell_added(attempt, key, "the first of UserKnownHostsFile");
  shared_.host_keys.accepted(attempt, key,
                             unchecked          ? HostKeyVerdict::accepted_with_warning
                             : key.blob.empty() ? HostKeyVerdict::accepted
                                                : HostKeyVerdict::add);
}

// With StrictHostKeyChecking=no ssh itself goes on with whatever key, also with a revoked one.
void OpensshConnector::judge_key(const SshLog& log, const std::string& place,
                                 const std::string& whose) {
  try {
    if (log.host_key_fingerprint.empty()) // nothing to compare, now or later
      throw Error(ErrorKind::system, "ssh did not write down which host key it saw; is /tmp full?");
    if (log.says("REVOKED HOST KEY"))
      throw Error(*explain_login(log, {}));
    require_same_key(shared_.host_keys.seen(place), key_in(log));
  } catch (Error& error) {
    throw Error(error.kind(), whose + error.message());
  }
}

void OpensshConnector::fail(const Login& login, const ProcessResult& result) {
  const auto& attempt = login.attempt;
  if (result.end == ProcessResult::End::cancelled)
    throw Error(ErrorKind::cancelled, "cancelled");
  for (std::size_t i = 0; i < login.route.hops.size(); ++i) {
    const auto& hop = login.route.hops[i];
    const auto log = read_ssh_log(hop_log(login.folder, i));
    const auto why = explain_login(log, facts_of(hop.host, TrustedKey::configured));
    if (why && (!log.authenticated || log.says("open failed: ")))
      throw ConnectFailure(why->kind(), "jump host " + name_of(hop) + ": " + why->message(),
                           why->temporary() ? Nature::temporary : Nature::lasting);
  }
  auto log = read_ssh_log(ControlMaster::log_in(login.folder));
  if (log.messages.empty())
    log = parse_ssh_log(result.err); // before it knew of its log
  const auto proxy = last_words(proxy_log(login.folder));
  const auto hint = login.route.proxy_command.empty()
                        ? ""
                        : "; the way there is the ProxyCommand '" +
                              one_line(login.route.proxy_command) + "'" +
                              (proxy.empty() ? "" : ", which said: " + proxy);
  if (result.end == ProcessResult::End::timed_out)
    throw ConnectFailure(ErrorKind::unreachable, stage_of(log, attempt.host) + hint,
                         Nature::lasting);
  if (const auto why = explain_login(log, facts_of(attempt.host, login.trusted)))
    throw ConnectFailure(why->kind(), why->message() + (log.authenticated ? "" : hint),
                         why->temporary() ? Nature::temporary : Nature::lasting);
  const auto said = join(log.messages, " ");
  throw ConnectFailure(ErrorKind::unreachable,
                       "ssh " + result.describe() + (said.empty() ? proxy : ": " + said) + hint,
                       Nature::lasting);
}

} // namespace belay::ssh
