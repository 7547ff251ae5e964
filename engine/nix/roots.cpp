// SPDX-License-Identifier: Apache-2.0
#include "engine/nix/roots.h"

#include "engine/nix/command.h"
#include "engine/nix/validity.h"
#include "engine/plan/target.h"

#include <algorithm>
#include <chrono>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace belay::nix {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view folder_prefix = "belay-roots.";
// Long after a run has made and locked its folder.
constexpr auto abandoned_age = std::chrono::hours(1);

/// An exclusive lock, unless another process has one; of a folder that is this user's alone.
UniqueFd try_lock(const fs::path& folder) {
  UniqueFd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat about {};
  if (!fd || fstat(fd.get(), &about) != 0 || about.st_uid != geteuid() ||
      flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return {};
  }
  return fd;
}

bool is_abandoned(const fs::path& folder) {
  std::error_code error;
  const auto changed = fs::last_write_time(folder, error);
  return !error && folder.filename().string().starts_with(folder_prefix) &&
         fs::file_time_type::clock::now() - changed > abandoned_age && try_lock(folder);
}

/// What cannot be removed is left to whoever cleans the temporary folder.
void remove_abandoned(const fs::path& parent) {
  std::error_code error;
  for (fs::directory_iterator at(parent, error), end; !error && at != end; at.increment(error)) {
    if (std::error_code ignored; is_abandoned(at->path())) {
      fs::remove_all(at->path(), ignored);
    }
  }
}

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
    make_folder();
  }
  return (folder_->path() / ("batch-" + std::to_string(count_++))).string();
}

void Roots::make_folder() {
  const auto parent = fs::temp_directory_path();
  remove_abandoned(parent);
  folder_ = std::make_unique<TemporaryDirectory>((parent / folder_prefix).string());
  lock_ = try_lock(folder_->path());
}

} // namespace belay::nix
