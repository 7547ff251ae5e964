// SPDX-License-Identifier: Apache-2.0
#include "engine/base/text.h"
#include "engine/nix/command.h"
#include "engine/nix/local_nix.h"
#include "engine/nix/tunnel_client.h"
#include "engine/nix/validity.h"

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
std::vector<StorePath> LocalNix::missing_paths(const std::vector<StorePath>& paths,
                                               const std::string& store_uri, const Wait& wait) {
  std::set<StorePath> closure;
  for (const auto& batch : batches(paths)) {
    for (const auto& line : query(runner_, "--requisites", batch, wait)) {
      if (auto path = StorePath::parse(line)) {
        closure.insert(std::move(*path));
      }
    }
  }
  const std::vector<StorePath> all(closure.begin(), closure.end());
  const TunnelClient client(store_uri, sent_for_copy(false));
  const auto valid = valid_paths(runner_, all, wait, [&](std::vector<std::string> argv) {
    return client.inside(std::move(argv));
  });
  std::vector<StorePath> missing;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!valid[i]) {
      missing.push_back(all[i]);
    }
  }
  return missing;
}

std::uint64_t LocalNix::archive_bytes(const std::vector<StorePath>& paths, const Wait& wait) {
  std::uint64_t sum = 0;
  for (const auto& batch : batches(paths)) {
    for (const auto& line : query(runner_, "--size", batch, wait)) {
      std::uint64_t bytes = 0;
      std::from_chars(line.data(), line.data() + line.size(), bytes);
      sum += bytes;
    }
  }
  return sum;
}

} // namespace belay::nix
