// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/profile_store.h"

#include "engine/agent/fault_point.h"
#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/text.h"

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <unistd.h>

namespace belay::agent {

namespace fs = std::filesystem;

namespace {

// nix-env waits for the profile's lock, which another nix-env may hold while it copies.
constexpr std::chrono::minutes nix_env_limit{2};

std::optional<std::string> read_link(const fs::path& path) {
  std::error_code problem;
  const auto text = fs::read_symlink(path, problem);
  return problem ? std::nullopt : std::optional(text.string());
}

/// The N of NAME-N-link.
std::optional<int> generation_number(std::string_view link, std::string_view name) {
  constexpr std::string_view ending = "-link";
  if (!link.starts_with(name) || !link.ends_with(ending) ||
      link.size() < name.size() + 1 + ending.size() || link[name.size()] != '-') {
    return std::nullopt;
  }
  const auto digits = link.substr(name.size() + 1, link.size() - name.size() - 1 - ending.size());
  int number = 0;
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool whole = problem == std::errc() && end == digits.data() + digits.size();
  return whole && number >= 0 ? std::optional(number) : std::nullopt;
}

/// Nix writes the bare name of the generation's link; by hand somebody may have made it absolute.
std::optional<int> number_of_link(const fs::path& link, const fs::path& profile) {
  const bool beside = !link.has_parent_path() || link.parent_path() == profile.parent_path();
  return beside ? generation_number(link.filename().string(), profile.filename().string())
                : std::nullopt;
}

Problem problem_of_errno(const std::string& what) {
  return Error::from_errno(what, errno).message();
}

} // namespace

std::string real_path(const fs::path& path) {
  std::error_code problem;
  const auto real = fs::canonical(path, problem);
  return problem ? "" : real.string();
}

ProfileReading read_profile(const std::string& profile) {
  ProfileReading reading;
  reading.link = read_link(profile);
  if (reading.link) {
    reading.generation.number = number_of_link(*reading.link, profile);
    reading.generation.path = real_path(profile);
  }
  return reading;
}

ProfileReading NixProfiles::read(const std::string& profile) const {
  return read_profile(profile);
}

std::map<int, std::string> NixProfiles::generations(const std::string& profile) const {
  const fs::path path(profile);
  std::map<int, std::string> found;
  std::error_code problem;
  for (fs::directory_iterator entry(path.parent_path(), problem), end; !problem && entry != end;
       entry.increment(problem)) {
    const auto name = entry->path().filename().string();
    if (const auto number = generation_number(name, path.filename().string())) {
      found[*number] = real_path(entry->path());
    }
  }
  if (problem && problem != std::errc::no_such_file_or_directory) {
    throw Error::from_errno("cannot list the generations of " + profile, problem.value());
  }
  return found;
}

Problem NixProfiles::nix_env(const std::string& profile, std::vector<std::string> words) {
  std::vector<std::string> argv = {tools_.nix_env, "--profile", profile};
  argv.insert(argv.end(), words.begin(), words.end());
  try {
    // An orphan could land its change after the one with which our successor undoes it.
    const auto result =
        processes_.run({.argv = argv, .dies_with_parent = true}, Wait::at_most(nix_env_limit));
    if (result.succeeded()) {
      sync_directory(fs::path(profile).parent_path()); // Nix does not
      return std::nullopt;
    }
    return "nix-env " + words.front() + " " + result.describe() + ": " +
           one_line(tail(trim(result.err), 500));
  } catch (const Error& error) {
    return error.message();
  }
}

Problem NixProfiles::set(const std::string& profile, const std::string& path) {
  const CutAround cut(Deed::set_profile);
  return nix_env(profile, {"--set", path});
}

Problem NixProfiles::switch_generation(const std::string& profile, int number) {
  const CutAround cut(Deed::switch_generation);
  return nix_env(profile, {"--switch-generation", std::to_string(number)});
}

Problem NixProfiles::delete_generation(const std::string& profile, int number) {
  const CutAround cut(Deed::delete_generation);
  if (!read_profile(profile).generation.number) {
    // Nix 2.26 looks at which generation is current, and aborts where none is.
    return remove_link(profile + "-" + std::to_string(number) + "-link");
  }
  return nix_env(profile, {"--delete-generations", std::to_string(number)});
}

Problem NixProfiles::restore_link(const std::string& profile, const std::string& text) {
  const CutAround cut(Deed::restore_link);
  const std::string beside = profile + ".belay";
  unlink(beside.c_str()); // left by a crash
  if (symlink(text.c_str(), beside.c_str()) != 0 || rename(beside.c_str(), profile.c_str()) != 0) {
    return problem_of_errno("cannot restore the link " + profile);
  }
  sync_directory(fs::path(profile).parent_path());
  return std::nullopt;
}

Problem NixProfiles::remove_link(const std::string& link) {
  const CutAround cut(Deed::remove_link);
  if (unlink(link.c_str()) != 0 && errno != ENOENT) {
    return problem_of_errno("cannot remove the link " + link);
  }
  sync_directory(fs::path(link).parent_path());
  return std::nullopt;
}

} // namespace belay::agent
