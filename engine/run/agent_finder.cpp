// SPDX-License-Identifier: Apache-2.0
#include "engine/run/agent_finder.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/run/remote_output.h"

#include <array>
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

std::filesystem::path AgentFinder::file_for(const std::string& system) const {
  std::string looked;
  for (const auto& folder : folders_) {
    const std::array candidates = {folder / system / "belay-agent", folder / "belay-agent"};
    for (const auto& file : candidates) {
      if (&file != &candidates[0] && system != own_system_) {
        continue;
      }
      if (access(file.c_str(), X_OK) == 0) {
        return file;
      }
      looked += (looked.empty() ? "" : ", ") + file.string();
    }
  }
  throw Error(ErrorKind::agent_missing,
              "there is no belay-agent for " + system + " (looked for " + looked +
                  "); build one for that system and name its folder in BELAY_AGENT_DIR");
}

StorePath AgentFinder::find(ssh::Session& session, const Wait& wait) {
  const auto system = system_of_uname(last_line_of(output_of(session, "uname -sm", wait)));
  const std::lock_guard lock(mutex_);
  if (const auto known = added_.find(system); known != added_.end()) {
    return known->second;
  }
  const auto path = store_.add_file(file_for(system), wait);
  added_.emplace(system, path);
  return path;
}

} // namespace belay::run
