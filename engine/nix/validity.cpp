// SPDX-License-Identifier: Apache-2.0
#include "engine/nix/validity.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/nix/command.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <unistd.h>

namespace belay::nix {

namespace {

/// Nix refuses the whole list where one path lies in no store of its own; it looks whether that
/// path is a link into the store, and says so where there is nothing.
bool names_another_store(const Error& error) {
  return error.message().find("not in the Nix store") != std::string::npos ||
         error.message().find("getting status of") != std::string::npos;
}

std::set<std::string> invalid_of(ProcessRunner& runner, std::span<const StorePath> paths,
                                 const Wait& wait, const MakeProcess& make) {
  std::vector<std::string> argv{"nix-store", "--check-validity", "--print-invalid"};
  for (const auto& path : paths) {
    argv.push_back(path.string());
  }
  try {
    const auto lines =
        split_white_space(run_query(runner, make(std::move(argv)), wait, "looking into the store"));
    return {lines.begin(), lines.end()};
  } catch (const Error& error) {
    if (!names_another_store(error)) {
      throw;
    }
  }
  if (paths.size() == 1) {
    return {paths.front().string()};
  }
  auto invalid = invalid_of(runner, paths.first(paths.size() / 2), wait, make);
  invalid.merge(invalid_of(runner, paths.subspan(paths.size() / 2), wait, make));
  return invalid;
}

bool is_program(const std::filesystem::path& path) {
  std::error_code problem;
  return std::filesystem::is_regular_file(path, problem) && access(path.c_str(), X_OK) == 0;
}

} // namespace

std::optional<bool> has_program_below(const StorePath& path,
                                      const std::vector<std::string>& names) {
  const std::filesystem::path folder(path.string());
  std::error_code problem;
  if (!std::filesystem::exists(folder, problem)) {
    return std::nullopt;
  }
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& name) { return is_program(folder / name); });
}

std::vector<bool> valid_paths(ProcessRunner& runner, std::span<const StorePath> paths,
                              const Wait& wait, const MakeProcess& make) {
  std::vector<bool> result;
  result.reserve(paths.size());
  for (const auto& batch : batches(paths)) {
    const auto invalid = invalid_of(runner, batch, wait, make);
    for (const auto& path : batch) {
      result.push_back(!invalid.contains(path.string()));
    }
  }
  return result;
}

} // namespace belay::nix
