// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/known_hosts.h"

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/text.h"
#include "engine/ssh/base64.h"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <system_error>
#include <unistd.h>

namespace belay::ssh {
namespace {

constexpr Duration keygen_limit = std::chrono::seconds(15);

ProcessResult must_run(ProcessRunner& processes, const ProcessSpec& spec, const Wait& wait) {
  auto result = processes.run(spec, wait.within(keygen_limit));
  if (result.end == ProcessResult::End::cancelled)
    throw Error(ErrorKind::cancelled, "cancelled");
  if (result.end == ProcessResult::End::timed_out)
    throw Error(ErrorKind::unreachable, "ssh-keygen did not answer in time");
  return result;
}

// "# Host NAME found: line 3 REVOKED"
std::string line_number(const std::string& comment) {
  const auto words = split_white_space(comment);
  for (std::size_t i = 0; i + 1 < words.size(); ++i)
    if (words[i] == "line")
      return words[i + 1];
  return "?";
}

// accept-new promises that the key is known from now on; a run that cannot keep that does not
// begin.
[[noreturn]] void refuse_unwritten(const std::filesystem::path& path, const std::string& why) {
  throw Error(ErrorKind::system,
              "the new host key cannot be written to " + path.string() + " (" + why +
                  "); make that writable, set UserKnownHostsFile (/dev/null writes none down), or "
                  "pin hostKey in the plan");
}

void append_line(const std::filesystem::path& path, const std::string& line) {
  std::error_code failed;
  std::filesystem::create_directories(path.parent_path(), failed);
  if (failed)
    refuse_unwritten(path, failed.message());
  const UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!fd)
    refuse_unwritten(path, std::generic_category().message(errno));
  flock(fd.get(), LOCK_EX);
  char last = '\n';
  if (const auto size = lseek(fd.get(), 0, SEEK_END); size > 0)
    (void)pread(fd.get(), &last, 1, size - 1);
  write_all(fd.get(), last == '\n' ? line + "\n" : "\n" + line + "\n");
}

} // namespace

std::vector<KnownKey> parse_keygen_answer(const std::string& answer, const std::string& file) {
  std::vector<KnownKey> keys;
  std::string where = file;
  for (const auto& line : split(answer, '\n')) {
    if (line.starts_with('#')) {
      where = file + " line " + line_number(line);
      continue;
    }
    auto words = split_white_space(line);
    KnownKey key;
    key.where = where;
    if (!words.empty() && words[0].starts_with('@')) {
      key.mark = words[0] == "@cert-authority" ? KnownKey::Mark::authority
                                               : KnownKey::Mark::revoked; // and what is unknown
      words.erase(words.begin());
    }
    if (words.size() < 3)
      continue;
    key.type = words[1];
    key.blob = base64_decode(words[2]).value_or("");
    keys.push_back(std::move(key));
  }
  return keys;
}

std::string known_hosts_name(const ResolvedHost& host) {
  if (!host.host_key_alias.empty())
    return host.host_key_alias;
  return host.port == 22 ? host.hostname : "[" + host.hostname + "]:" + std::to_string(host.port);
}

KnownHosts::KnownHosts(ProcessRunner& processes, std::string keygen)
    : processes_(processes), keygen_(std::move(keygen)) {}

std::vector<KnownKey> KnownHosts::find(const ResolvedHost& host, const std::string& name,
                                       const Wait& wait) {
  auto files = host.user_known_hosts;
  files.insert(files.end(), host.global_known_hosts.begin(), host.global_known_hosts.end());
  std::vector<KnownKey> keys;
  for (const auto& file : files) {
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(file, ignored))
      continue;
    if (keygen_.empty())
      throw Error(ErrorKind::system, "host keys in " + file +
                                         " are looked up with ssh-keygen, which is not installed; "
                                         "install OpenSSH's client or set hostKey in the plan");
    ProcessSpec spec;
    spec.argv = {keygen_, "-F", name, "-f", file};
    const auto result = must_run(processes_, spec, wait);
    if (!result.succeeded() && result.status != 1) // 1: not found
      throw Error(ErrorKind::system, "ssh-keygen -F " + name + " -f " + file + " " +
                                         result.describe() + ": " + one_line(result.err));
    const auto found = parse_keygen_answer(result.out, file);
    keys.insert(keys.end(), found.begin(), found.end());
  }
  return keys;
}

std::string KnownHosts::hashed(const std::string& line, const Wait& wait) {
  const TemporaryDirectory directory("/tmp/belay-known-hosts.");
  const auto file = directory.path() / "line";
  replace_file(file, line + "\n", {.mode = 0600});
  ProcessSpec spec;
  spec.argv = {keygen_, "-H", "-f", file.string()};
  if (!must_run(processes_, spec, wait).succeeded())
    return line;
  return std::string(trim(read_file(file, 64 * 1024)));
}

std::string KnownHosts::add(const ResolvedHost& host, const std::string& name, const KnownKey& key,
                            const Wait& wait) {
  if (host.user_known_hosts.empty() || host.user_known_hosts.front() == "/dev/null")
    return "";
  auto line = name + " " + key.type + " " + base64_encode(key.blob);
  if (host.hash_known_hosts && !keygen_.empty())
    line = hashed(line, wait);
  append_line(host.user_known_hosts.front(), line);
  return host.user_known_hosts.front();
}

} // namespace belay::ssh
