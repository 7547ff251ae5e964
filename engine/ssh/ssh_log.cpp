// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/ssh_log.h"

#include "engine/base/file.h"
#include "engine/base/text.h"

#include <algorithm>
#include <fstream>

namespace belay::ssh {
namespace {

using Nature = ConnectFailure::Nature;

constexpr std::streamoff log_cap = 256 * 1024;

// What follows `prefix` in `line`; nullopt where it does not begin so.
std::optional<std::string> after(std::string_view line, std::string_view prefix) {
  if (!line.starts_with(prefix))
    return std::nullopt;
  return std::string(line.substr(prefix.size()));
}

// "/keys/one ED25519 SHA256:… explicit", "comment RSA SHA256:… agent"
std::string name_of_key(const std::string& text) {
  const auto fingerprint = text.find(" SHA256:");
  const auto type = text.rfind(' ', fingerprint - 1);
  if (fingerprint == std::string::npos || type == std::string::npos)
    return text;
  const auto name = text.substr(0, type);
  if (text.find(" agent", fingerprint) == std::string::npos)
    return name;
  return "agent key " + text.substr(type + 1, fingerprint - type - 1) + " " + one_line(name);
}

// "ssh-ed25519 SHA256:…"; of a certificate "TYPE SHA256:…, serial 0 ID …", its key's.
void read_host_key(const std::string& text, SshLog& log) {
  const auto words = split_white_space(text.substr(0, text.find(',')));
  log.host_key_type = words.empty() ? "" : words[0];
  log.host_key_fingerprint = words.size() < 2 ? "" : words[1];
}

void read_detail(const std::string& line, SshLog& log) {
  if (const auto key = after(line, "Server host key: ")) {
    read_host_key(*key, log);
  } else if (const auto certified = after(line, "Server host certificate: ")) {
    read_host_key(*certified, log);
  } else if (const auto offered = after(line, "Offering public key: ")) {
    log.tried.push_back(name_of_key(*offered));
  } else if (const auto methods = after(line, "Authentications that can continue: ")) {
    log.methods = *methods;
  }
}

bool is_decoration(std::string_view line) {
  return line.empty() || line.starts_with('@') || line.starts_with("OpenSSH_");
}

ConnectFailure lasting(ErrorKind kind, std::string message) {
  return {kind, std::move(message), Nature::lasting};
}
ConnectFailure temporary(std::string message) {
  return {ErrorKind::unreachable, std::move(message), Nature::temporary};
}

std::string shown_key(const SshLog& log) {
  return "the host presents the " + log.host_key_type + " key " + log.host_key_fingerprint;
}

// "Offending ED25519 key in FILE:3"
std::string offending_line(const SshLog& log) {
  const auto message = log.message_with("Offending ");
  const auto in = message.find(" key in ");
  const auto colon = message.rfind(':');
  if (in == std::string::npos || colon == std::string::npos || colon < in + 8)
    return "known_hosts";
  return message.substr(in + 8, colon - in - 8) + " line " + message.substr(colon + 1);
}

ConnectFailure refused_host(const std::string& why) {
  return lasting(ErrorKind::host_key_mismatch, why);
}

std::optional<ConnectFailure> explain_host_key(const SshLog& log, TrustedKey trusted) {
  const auto key = shown_key(log);
  if (log.says("REVOKED HOST KEY") || log.says("revoked by file"))
    return refused_host(key + ", which known_hosts marks as revoked; it must not be used again");
  // Under StrictHostKeyChecking=no a jump host is logged in to, but leads nowhere.
  if (!log.says("Host key verification failed") && !log.says("due to host key check failure"))
    return std::nullopt;
  if (trusted == TrustedKey::pinned)
    return refused_host(key + ", which is not the hostKey that the plan pins. If the host was "
                              "installed anew, correct hostKey");
  if (trusted == TrustedKey::seen)
    return refused_host(key + ", but showed another key earlier in this run: it is not the same "
                              "host any more");
  if (const auto why = log.message_with("Certificate invalid"); !why.empty())
    return refused_host("the host's certificate is not good for it (" + why +
                        "); sign it anew with the right names and time, or pin hostKey");
  if (log.says("IDENTIFICATION HAS CHANGED"))
    return refused_host(key + ", but " + offending_line(log) +
                        " has another one: it was installed anew, or somebody is in between. If "
                        "the former, remove that line");
  return refused_host("the host is not known; it presents the " + log.host_key_type + " key " +
                      log.host_key_fingerprint +
                      ". If that is right, put it into known_hosts or into the plan as hostKey, or "
                      "set StrictHostKeyChecking=accept-new");
}

std::optional<ConnectFailure> explain_refusal(const SshLog& log, const LoginFacts& facts) {
  const auto tried = log.tried.empty() ? "no key at all" : join(log.tried, ", ");
  if (log.says("Too many authentication failures"))
    return lasting(ErrorKind::authentication_failed,
                   "the server hung up after " + tried +
                       "; with many keys, set IdentitiesOnly=yes and name the right one");
  if (!log.says("Permission denied ("))
    return std::nullopt;
  std::string text = "login as " + facts.user + " refused; tried " + tried;
  if (!facts.unusable.empty())
    text += "; not usable: " + join(facts.unusable, ", ");
  for (const auto& message : log.messages)
    if (message.starts_with("sign_and_send_pubkey"))
      text += "; " + message;
  if (log.methods.find("publickey") == std::string::npos && !log.methods.empty())
    return lasting(ErrorKind::authentication_failed,
                   text + "; the server takes no public keys, only " + log.methods);
  return lasting(ErrorKind::authentication_failed,
                 text + ". Put one of their public halves into the authorized_keys of " +
                     facts.user + " there, or name another identity or user");
}

std::optional<ConnectFailure> explain_network(const SshLog& log) {
  if (const auto why = log.message_with("Could not resolve hostname"); !why.empty()) {
    const auto text = why.substr(why.find("Could not"));
    if (text.find("Temporary failure") != std::string::npos)
      return temporary(text + "; check hostname in the plan, or DNS");
    return lasting(ErrorKind::unreachable, text + "; check hostname in the plan, or DNS");
  }
  if (const auto why = log.message_with("open failed: "); !why.empty()) { // of ssh -W
    const auto text = why.substr(why.find("open failed: ") + 13);
    if (text.find("prohibited") != std::string::npos)
      return lasting(ErrorKind::unreachable,
                     "it lets nobody through (" + text +
                         "); allow AllowTcpForwarding and PermitOpen in its sshd_config");
    return temporary("it cannot reach the next host (" + text + ")");
  }
  if (log.says("Connection refused"))
    return temporary("connection refused: nothing listens there; is sshd running, and is this its "
                     "port?");
  if (log.says("banner exchange") && log.says("timed out"))
    return lasting(ErrorKind::unreachable, "exchanging keys: timed out; is it sshd that listens?");
  if (const auto why = log.message_with("connect to host "); !why.empty())
    return lasting(ErrorKind::unreachable, why.substr(why.find("connect to host ")));
  return std::nullopt;
}

// ssh's last resort: these say that it is over, not why.
std::optional<ConnectFailure> explain_hang_up(const SshLog& log) {
  for (const auto* part : {"Connection closed by ", "Connection reset by ", "closed by remote host",
                           "Connection closed", "Broken pipe"})
    if (const auto why = log.message_with(part); !why.empty())
      return temporary("sshd hung up during the login (" + why +
                       "); is it overloaded (MaxStartups), or banning us?");
  return std::nullopt;
}

} // namespace

bool SshLog::says(std::string_view part) const {
  return !message_with(part).empty();
}

std::string SshLog::message_with(std::string_view part) const {
  const auto found = std::ranges::find_if(messages, [&](const std::string& message) {
    return message.find(part) != std::string::npos;
  });
  return found == messages.end() ? "" : *found;
}

SshLog parse_ssh_log(std::string_view text) {
  SshLog log;
  for (const auto& raw : split(text, '\n')) {
    const auto line = one_line(trim(raw));
    if (const auto detail = after(line, "debug1: "))
      read_detail(*detail, log);
    else if (line.starts_with("Authenticated to "))
      log.authenticated = true;
    else if (line.starts_with('@') && line.find("WARNING") != std::string::npos)
      log.messages.emplace_back(trim(line.substr(1, line.size() - 2)));
    else if (!is_decoration(line) && !line.starts_with("debug"))
      log.messages.push_back(line);
  }
  return log;
}

SshLog read_ssh_log(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary | std::ios::ate);
  const auto size = static_cast<std::streamoff>(stream.tellg());
  if (!stream || size <= 0)
    return {};
  const auto wanted = std::min(size, log_cap);
  std::string text(static_cast<std::size_t>(wanted), '\0');
  stream.seekg(size - wanted);
  stream.read(text.data(), wanted);
  return parse_ssh_log(text);
}

std::string last_words(const std::filesystem::path& file) {
  const auto log = read_ssh_log(file);
  for (auto message = log.messages.rbegin(); message != log.messages.rend(); ++message)
    if (!message->starts_with("Transferred: ") && !message->starts_with("Bytes per second: "))
      return *message;
  return "";
}

std::optional<ConnectFailure> explain_login(const SshLog& log, const LoginFacts& facts) {
  if (auto failure = explain_host_key(log, facts.trusted))
    return failure;
  if (const auto why = log.message_with("Unable to negotiate"); !why.empty())
    return lasting(ErrorKind::transport_unsupported,
                   "the key exchange failed: " + why +
                       "; allow a common method in the sshd_config there, or in ssh_config here");
  if (auto failure = explain_refusal(log, facts))
    return failure;
  for (const auto* part : {"Bad configuration option", "jumphost loop", "terminating, "})
    if (const auto why = log.message_with(part); !why.empty())
      return lasting(ErrorKind::invalid_plan, "ssh refuses its options: " + why);
  if (auto failure = explain_network(log))
    return failure;
  return explain_hang_up(log);
}

} // namespace belay::ssh
