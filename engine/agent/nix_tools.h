// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/process.h"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

// A login that is no login shell often has a PATH without Nix. So its programs are looked for in
// PATH first, then in the folders in which installers put them; scripts get the same folders at the
// end of their PATH. Here are also the roots that keep the garbage collector off a transaction's
// paths.

namespace belay::agent {

struct NixTools {
  std::string nix_env, nix_store; ///< whole paths
};

/// Folders beside PATH, in the order of looking.
std::vector<std::string> nix_folders(const std::string& home, const std::string& user);

/// `path` with those folders at its end which it does not have yet.
std::string path_with_nix(const std::string& path, const std::vector<std::string>& folders);

/// The first executable of that name in a PATH, as a whole path.
std::optional<std::string> find_program(const std::string& name, const std::string& path);

/// nullopt unless both are there.
std::optional<NixTools> find_nix_tools(const std::string& path);

/// Makes `link` an indirect root of `path`. Throws Error{system} with Nix's words where `path` is
/// not valid (and cannot be had).
void add_root(const NixTools& tools, ProcessRunner& processes, const std::string& path,
              const std::filesystem::path& link);

struct Root {
  std::string path;
  std::string name; ///< of the link, below the folder
};
/// The same for several in one process (each costs as much as a short activation): the links are
/// aliases of `folder`/root, root-2, … that Nix made. False where that did not work for all of
/// them; then nothing is said about any.
bool add_roots(const NixTools& tools, ProcessRunner& processes, const std::vector<Root>& roots,
               const std::filesystem::path& folder);

} // namespace belay::agent
