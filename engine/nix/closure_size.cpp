// SPDX-License-Identifier: Apache-2.0
#include "engine/base/text.h"
#include "engine/nix/command.h"
#include "engine/nix/local_nix.h"

#include <charconv>
#include <set>

namespace belay::nix {

namespace {

std::vector<std::string> query(ProcessRunner& runner, const char* what,
                               const std::vector<StorePath>& paths, const Wait& wait) {
  std::vector<std::string> argv{"nix-store", "--query", what};
  for (const auto& path : paths) {
    argv.push_back(path.string());
  }
  return split_white_space(
      run_query(runner, nix_process(std::move(argv)), wait, "measuring a closure"));
}

} // namespace

/// nix-store's own queries: their form has been the same in every Nix 2.
ClosureSize LocalNix::closure_size(const std::vector<StorePath>& paths, const Wait& wait) {
  std::set<StorePath> closure;
  for (const auto& batch : batches(paths)) {
    for (const auto& line : query(runner_, "--requisites", batch, wait)) {
      if (auto path = StorePath::parse(line)) {
        closure.insert(std::move(*path));
      }
    }
  }
  ClosureSize size{closure.size(), 0};
  for (const auto& batch : batches(std::vector(closure.begin(), closure.end()))) {
    for (const auto& line : query(runner_, "--size", batch, wait)) {
      std::uint64_t bytes = 0;
      std::from_chars(line.data(), line.data() + line.size(), bytes);
      size.bytes += bytes;
    }
  }
  return size;
}

} // namespace belay::nix
