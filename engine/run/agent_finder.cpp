// SPDX-License-Identifier: Apache-2.0
#include "engine/run/agent_finder.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/run/remote_output.h"

#include <map>
#include <unistd.h>

namespace belay::run {

std::string system_of_uname(const std::string& line) {
  const auto words = split_white_space(line);
  if (words.size() != 2) {
    throw Error(ErrorKind::protocol, "the target does not say what system it is: uname printed \"" +
                                         one_line(tail(line, 200)) + "\"");
  }
  // What kernels call it, where Nix has another name.
  static const std::map<std::string, std::string, std::less<>> names = {
      {"amd64", "x86_64"}, {"arm64", "aarch64"}, {"i386", "i686"},
      {"i486", "i686"},    {"i586", "i686"},     {"ppc64le", "powerpc64le"}};
  const auto found = names.find(words[1]);
  const std::string machine(found == names.end() ? words[1] : found->second);
  std::string kernel = words[0];
  for (char& c : kernel) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return machine + "-" + kernel;
}

AgentFinder::AgentFinder(std::vector<std::filesystem::path> folders, std::string own_system,
                         nix::NixStore& store)
    : folders_(std::move(folders)), own_system_(std::move(own_system)), store_(store) {}

std::vector<std::filesystem::path> AgentFinder::candidates(const std::string& system) const {
  std::vector<std::filesystem::path> files;
  for (const auto& folder : folders_) {
    files.push_back(folder / system / "belay-agent");
    if (system == own_system_) {
      files.push_back(folder / "belay-agent");
    }
  }
  return files;
}

Error AgentFinder::missing(const std::string& system) const {
  std::vector<std::string> looked;
  for (const auto& file : candidates(system)) {
    looked.push_back(file.string());
  }
  return {ErrorKind::agent_missing,
          "the target is " + system + ", and there is no belay-agent for that (looked for " +
              join(looked, ", ") + "), nor does the closure bring one; build one for " + system +
              " and name its folder in BELAY_AGENT_DIR, as BELAY_AGENT_DIR/" + system +
              "/belay-agent, or make the closure with belay's lib"};
}

std::string AgentFinder::system_of(ssh::Session& session, const Wait& wait) {
  return system_of_uname(last_line_of(output_of(session, "uname -sm", wait)));
}

std::optional<StorePath> AgentFinder::own(const std::string& system, const Wait& wait) {
  const std::lock_guard lock(mutex_);
  if (const auto known = added_.find(system); known != added_.end()) {
    return known->second;
  }
  for (const auto& file : candidates(system)) {
    if (access(file.c_str(), X_OK) == 0) {
      return added_.emplace(system, store_.add_file(file, wait)).first->second;
    }
  }
  return std::nullopt;
}

bool AgentFinder::may_be_brought(const plan::Profile& profile, const Wait& wait) {
  if (const auto brings = store_.has_program(profile.path, {std::string(closure_agent)})) {
    return *brings;
  }
  return !profile.derivation || store_.mentions(*profile.derivation, closure_agent, wait);
}

std::optional<StorePath> AgentFinder::of_closure(const StorePath& closure, const Wait& wait) {
  const std::string name(closure_agent);
  if (store_.has_program(closure, {name}) != true) {
    return std::nullopt;
  }
  std::error_code problem; // a link would be added as a link
  const auto file = std::filesystem::canonical(closure.string() + "/" + name, problem);
  return problem ? std::nullopt : std::optional(store_.add_file(file, wait));
}

} // namespace belay::run
