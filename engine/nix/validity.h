// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/process.h"
#include "engine/base/store_path.h"
#include "engine/nix/command.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace belay::nix {

/// Which of `paths` are valid in the store that `make`'s processes work on. A path of another store
/// is not.
std::vector<bool> valid_paths(ProcessRunner& runner, std::span<const StorePath> paths,
                              const Wait& wait, const MakeProcess& make = nix_process);

/// Whether one of `names` below a valid path is a program, as this machine's file system shows it;
/// nullopt where it does not show the path (a store below another root).
std::optional<bool> has_program_below(const StorePath& path, const std::vector<std::string>& names);

} // namespace belay::nix
