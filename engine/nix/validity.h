// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/process.h"
#include "engine/base/store_path.h"

#include <span>
#include <vector>

namespace belay::nix {

/// Which of `paths` are valid in the local store. A path of another store is not.
std::vector<bool> valid_paths(ProcessRunner& runner, std::span<const StorePath> paths,
                              const Wait& wait);

} // namespace belay::nix
