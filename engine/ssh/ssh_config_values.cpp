// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/ssh_config_values.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <charconv>
#include <cstdlib>
#include <functional>
#include <pwd.h>
#include <unistd.h>

namespace belay::ssh {
namespace {

int to_number(const std::string& key, const std::string& text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0)
    throw Error(ErrorKind::invalid_plan, "ssh_config: " + key + " '" + text + "' is no number");
  return number;
}

bool is_yes(const std::string& value) {
  return value == "yes" || value == "true";
}

StrictHostKeys to_strict(const std::string& value) {
  if (value == "accept-new")
    return StrictHostKeys::accept_new;
  if (value == "no" || value == "false" || value == "off")
    return StrictHostKeys::no;
  return StrictHostKeys::yes;
}

std::string from_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value ? value : "";
}

std::string to_agent_socket(const std::string& value) {
  if (value == "none")
    return "";
  if (value == "SSH_AUTH_SOCK")
    return from_environment(value);
  if (value.starts_with("${") && value.ends_with("}"))
    return from_environment(value.substr(2, value.size() - 3));
  if (value.starts_with('$'))
    return from_environment(value.substr(1));
  return expand_tilde(value);
}

std::vector<std::string> to_files(const std::vector<std::string>& values) {
  std::vector<std::string> files;
  for (const auto& value : values)
    if (value != "none")
      files.push_back(expand_tilde(value));
  return files;
}

std::uint16_t to_port(const std::string& value) {
  const int port = to_number("port", value);
  if (port < 1 || port > 65535)
    throw Error(ErrorKind::invalid_plan, "ssh_config: port " + value + " is not in 1 to 65535");
  return static_cast<std::uint16_t>(port);
}

AddressFamily to_family(const std::string& value) {
  if (value == "inet")
    return AddressFamily::inet;
  return value == "inet6" ? AddressFamily::inet6 : AddressFamily::any;
}

using Values = std::vector<std::string>;
using Reader = std::function<void(const Values&, ResolvedHost&)>;

const std::map<std::string, Reader>& readers() {
  static const std::map<std::string, Reader> table = {
      {"hostname", [](const Values& v, ResolvedHost& h) { h.hostname = v.front(); }},
      {"port", [](const Values& v, ResolvedHost& h) { h.port = to_port(v.front()); }},
      {"user", [](const Values& v, ResolvedHost& h) { h.user = v.front(); }},
      {"identityfile", [](const Values& v, ResolvedHost& h) { h.identity_files = to_files(v); }},
      {"identityagent",
       [](const Values& v, ResolvedHost& h) { h.agent_socket = to_agent_socket(v.front()); }},
      {"identitiesonly",
       [](const Values& v, ResolvedHost& h) { h.identities_only = is_yes(v.front()); }},
      {"userknownhostsfile",
       [](const Values& v, ResolvedHost& h) {
         h.user_known_hosts = to_files(split_white_space(v.front()));
       }},
      {"globalknownhostsfile",
       [](const Values& v, ResolvedHost& h) {
         h.global_known_hosts = to_files(split_white_space(v.front()));
       }},
      {"stricthostkeychecking",
       [](const Values& v, ResolvedHost& h) { h.strict_host_keys = to_strict(v.front()); }},
      {"hashknownhosts",
       [](const Values& v, ResolvedHost& h) { h.hash_known_hosts = is_yes(v.front()); }},
      {"hostkeyalias", [](const Values& v, ResolvedHost& h) { h.host_key_alias = v.front(); }},
      {"connecttimeout",
       [](const Values& v, ResolvedHost& h) {
         if (v.front() != "none")
           h.connect_timeout = std::chrono::seconds(to_number("connecttimeout", v.front()));
       }},
      {"serveraliveinterval",
       [](const Values& v, ResolvedHost& h) {
         h.alive_interval = std::chrono::seconds(to_number("serveraliveinterval", v.front()));
       }},
      {"serveralivecountmax",
       [](const Values& v, ResolvedHost& h) {
         h.alive_count = to_number("serveralivecountmax", v.front());
       }},
      {"addressfamily",
       [](const Values& v, ResolvedHost& h) { h.address_family = to_family(v.front()); }},
  };
  return table;
}

// Forwardings are cleared, nobody is prompted, nothing is multiplexed and `hostname` is already
// what canonicalisation made of it: these say nothing about how to reach a host.
const std::set<std::string>& harmless_keys() {
  static const std::set<std::string> keys = {"addkeystoagent",
                                             "batchmode",
                                             "canonicaldomains",
                                             "canonicalizefallbacklocal",
                                             "canonicalizehostname",
                                             "canonicalizemaxdots",
                                             "canonicalizepermittedcnames",
                                             "challengeresponseauthentication",
                                             "checkhostip",
                                             "clearallforwardings",
                                             "compression",
                                             "connectionattempts",
                                             "controlmaster",
                                             "controlpath",
                                             "controlpersist",
                                             "dynamicforward",
                                             "enableescapecommandline",
                                             "escapechar",
                                             "exitonforwardfailure",
                                             "fingerprinthash",
                                             "forkafterauthentication",
                                             "forwardagent",
                                             "forwardx11",
                                             "forwardx11timeout",
                                             "forwardx11trusted",
                                             "gatewayports",
                                             "gssapidelegatecredentials",
                                             "gssapikexalgorithms",
                                             "gssapirenewalforcesrekey",
                                             "gssapitrustdns",
                                             "host",
                                             "ipqos",
                                             "kbdinteractiveauthentication",
                                             "localcommand",
                                             "localforward",
                                             "loglevel",
                                             "logverbose",
                                             "numberofpasswordprompts",
                                             "obscurekeystroketiming",
                                             "passwordauthentication",
                                             "permitlocalcommand",
                                             "permitremoteopen",
                                             "remotecommand",
                                             "remoteforward",
                                             "requesttty",
                                             "sendenv",
                                             "sessiontype",
                                             "stdinnull",
                                             "streamlocalbindmask",
                                             "streamlocalbindunlink",
                                             "syslogfacility",
                                             "tag",
                                             "tcpkeepalive",
                                             "tunneldevice",
                                             "updatehostkeys",
                                             "visualhostkey",
                                             "xauthlocation"};
  return keys;
}

} // namespace

KeyMeaning meaning_of(const std::string& key, const std::string& value) {
  if (readers().contains(key))
    return KeyMeaning::supported;
  if (harmless_keys().contains(key))
    return KeyMeaning::harmless;
  if (key == "gssapiauthentication" || key == "hostbasedauthentication")
    return is_yes(value) ? KeyMeaning::other_login : KeyMeaning::harmless;
  if (key == "preferredauthentications" && value.find("publickey") != std::string::npos)
    return KeyMeaning::harmless;
  return KeyMeaning::unsupported;
}

void read_ssh_config_key(const std::string& key, const std::vector<std::string>& values,
                         ResolvedHost& host) {
  if (const auto reader = readers().find(key); reader != readers().end() && !values.empty())
    reader->second(values, host);
}

std::string home_directory() {
  passwd entry{};
  passwd* found = nullptr;
  std::string buffer(16 * 1024, '\0');
  if (getpwuid_r(getuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found)
    return entry.pw_dir;
  return from_environment("HOME");
}

std::string expand_tilde(std::string_view path) {
  if (path != "~" && !path.starts_with("~/"))
    return std::string(path);
  return home_directory() + std::string(path.substr(1));
}

void fill_defaults(ResolvedHost& host) {
  passwd entry{};
  passwd* found = nullptr;
  std::string buffer(16 * 1024, '\0');
  if (getpwuid_r(getuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found)
    host.user = entry.pw_name;
  host.agent_socket = from_environment("SSH_AUTH_SOCK");
  for (const char* name : {"id_ed25519", "id_ecdsa", "id_rsa"})
    host.identity_files.push_back(expand_tilde("~/.ssh/" + std::string(name)));
  host.user_known_hosts = {expand_tilde("~/.ssh/known_hosts")};
  host.global_known_hosts = {"/etc/ssh/ssh_known_hosts"};
}

} // namespace belay::ssh
