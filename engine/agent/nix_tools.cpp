// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/nix_tools.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <algorithm>
#include <unistd.h>

namespace belay::agent {

namespace fs = std::filesystem;

namespace {
// A path that is gone here may be fetched again from a cache.
constexpr std::chrono::minutes realise_limit{5};
} // namespace

std::vector<std::string> nix_folders(const std::string& home, const std::string& user) {
  std::vector<std::string> folders = {"/run/current-system/sw/bin",
                                      "/nix/var/nix/profiles/default/bin"};
  if (home.starts_with('/')) {
    folders.push_back(home + "/.nix-profile/bin");
  }
  if (!user.empty()) {
    folders.push_back("/etc/profiles/per-user/" + user + "/bin");
  }
  return folders;
}

std::string path_with_nix(const std::string& path, const std::vector<std::string>& folders) {
  auto parts = path.empty() ? std::vector<std::string>() : split(path, ':');
  for (const auto& folder : folders) {
    if (std::find(parts.begin(), parts.end(), folder) == parts.end()) {
      parts.push_back(folder);
    }
  }
  return join(parts, ":");
}

std::optional<std::string> find_program(const std::string& name, const std::string& path) {
  for (const auto& folder : split(path, ':')) {
    const auto candidate = fs::path(folder) / name;
    std::error_code unreadable;
    if (candidate.is_absolute() && fs::is_regular_file(candidate, unreadable) &&
        access(candidate.c_str(), X_OK) == 0) {
      return candidate.string();
    }
  }
  return std::nullopt;
}

std::optional<NixTools> find_nix_tools(const std::string& path) {
  const auto nix_env = find_program("nix-env", path);
  const auto nix_store = find_program("nix-store", path);
  if (!nix_env || !nix_store) {
    return std::nullopt;
  }
  return NixTools{*nix_env, *nix_store};
}

void add_root(const NixTools& tools, ProcessRunner& processes, const std::string& path,
              const fs::path& link) {
  const auto result =
      processes.run({.argv = {tools.nix_store, "--realise", path, "--add-root", link.string()}},
                    Wait::at_most(realise_limit));
  if (!result.succeeded()) {
    throw Error(ErrorKind::system, "nix-store --realise " + path + " " + result.describe() + ": " +
                                       one_line(tail(trim(result.err), 500)));
  }
}

bool add_roots(const NixTools& tools, ProcessRunner& processes, const std::vector<Root>& roots,
               const fs::path& folder) {
  const auto link = folder / "root";
  std::vector<std::string> argv = {tools.nix_store, "--realise"};
  for (const auto& root : roots) {
    argv.push_back(root.path);
  }
  argv.insert(argv.end(), {"--add-root", link.string()});
  if (!processes.run({.argv = argv}, Wait::at_most(realise_limit)).succeeded()) {
    return false;
  }
  for (std::size_t i = 0; i < roots.size(); ++i) {
    const auto made = i == 0 ? link.string() : link.string() + "-" + std::to_string(i + 1);
    std::error_code problem;
    if (fs::read_symlink(made, problem) != roots[i].path) {
      return false; // Nix numbers them otherwise than we think
    }
    fs::create_symlink(made, folder / roots[i].name, problem);
    if (problem) {
      return false;
    }
  }
  return true;
}

} // namespace belay::agent
