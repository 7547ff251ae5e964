// SPDX-License-Identifier: Apache-2.0
#include "engine/nix/roots.h"

#include "engine/nix/command.h"
#include "engine/nix/validity.h"
#include "engine/plan/target.h"

#include <algorithm>

namespace belay::nix {

namespace {

ProcessSpec root_outputs(const std::vector<StorePath>& paths, const std::string& link) {
  std::vector<std::string> argv{"nix-store", "--realise", "--add-root", link};
  for (const auto& path : paths) {
    argv.push_back(path.string());
  }
  return nix_process(std::move(argv));
}

/// What nix-instantiate takes for derivations: sets that look like one and name the file.
ProcessSpec root_derivations(const std::vector<StorePath>& paths, const std::string& link) {
  std::string expression = R"(map (path: { type = "derivation"; name = "root"; system = "any";
    outputName = "out"; outputs = [ "out" ]; drvPath = builtins.storePath path;
    outPath = builtins.storePath path; }) [)";
  for (const auto& path : paths) {
    expression += ' ' + plan::nix_string(path.string());
  }
  auto spec = nix_process({"nix-instantiate", "--option", "pure-eval", "false", "--option",
                           "restrict-eval", "false", "--add-root", link, "-"});
  spec.input = expression + " ]";
  return spec;
}

} // namespace

void Roots::add(std::span<const StorePath> paths, const Wait& wait) {
  const std::lock_guard lock(mutex_);
  auto wanted = unknown_and_valid(paths, wait);
  const auto outputs = std::stable_partition(
      wanted.begin(), wanted.end(), [](const StorePath& path) { return path.is_derivation(); });
  for (const auto& batch : batches({wanted.begin(), outputs})) {
    add_batch(batch, wait);
  }
  for (const auto& batch : batches({outputs, wanted.end()})) {
    add_batch(batch, wait);
  }
}

std::vector<StorePath> Roots::unknown_and_valid(std::span<const StorePath> paths,
                                                const Wait& wait) {
  std::set<StorePath> unknown;
  for (const auto& path : paths) {
    if (!rooted_.contains(path)) {
      unknown.insert(path);
    }
  }
  const std::vector<StorePath> candidates(unknown.begin(), unknown.end());
  const auto valid = valid_paths(runner_, candidates, wait);
  std::vector<StorePath> wanted;
  for (std::size_t at = 0; at < candidates.size(); ++at) {
    if (valid[at]) {
      wanted.push_back(candidates[at]);
    }
  }
  return wanted;
}

void Roots::add_batch(const std::vector<StorePath>& paths, const Wait& wait) {
  const bool derivations = paths.front().is_derivation();
  const std::string link = next_link();
  run_query(runner_, derivations ? root_derivations(paths, link) : root_outputs(paths, link), wait,
            "keeping store paths from the garbage collector");
  rooted_.insert(paths.begin(), paths.end());
}

std::string Roots::next_link() {
  if (!folder_) {
    folder_ = std::make_unique<TemporaryDirectory>(
        (std::filesystem::temp_directory_path() / "belay-roots.").string());
  }
  return (folder_->path() / ("batch-" + std::to_string(count_++))).string();
}

} // namespace belay::nix
