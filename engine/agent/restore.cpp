// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/restore.h"

#include "engine/agent/scripts.h"
#include "engine/base/error.h"

#include <algorithm>
#include <map>
#include <string>

namespace belay::agent {

namespace {

bool was_recorded(const RecordedProfile& recorded, int number) {
  return std::find(recorded.numbers.begin(), recorded.numbers.end(), number) !=
         recorded.numbers.end();
}

/// None where that is not to be known (no descriptor to be had, say): nothing may stop the way
/// back.
std::map<int, std::string> known_generations(ProfileStore& profiles,
                                             const RecordedProfile& recorded) {
  try {
    return profiles.generations(recorded.path);
  } catch (const Error&) {
    return {};
  }
}

bool means_the_same(ProfileStore& profiles, const RecordedProfile& recorded) {
  const auto existing = known_generations(profiles, recorded);
  const auto found = existing.find(*recorded.generation.number);
  return found != existing.end() && found->second == recorded.generation.path;
}

/// Back to a generation: by its number where that still means the same, else by its path.
Problem restore_generation(ProfileStore& profiles, const RecordedProfile& recorded) {
  if (means_the_same(profiles, recorded) &&
      !profiles.switch_generation(recorded.path, *recorded.generation.number) &&
      is_restored(profiles.read(recorded.path), recorded)) {
    return std::nullopt;
  }
  return profiles.set(recorded.path, recorded.generation.path);
}

Problem restore_link(ProfileStore& profiles, const RecordedProfile& recorded) {
  return recorded.link ? profiles.restore_link(recorded.path, *recorded.link)
                       : profiles.remove_link(recorded.path);
}

Problem restore(ProfileStore& profiles, const RecordedProfile& recorded) {
  const auto reading = profiles.read(recorded.path);
  if (is_restored(reading, recorded) && reading.link == recorded.link) {
    return std::nullopt;
  }
  if (!recorded.generation.number || recorded.generation.path.empty()) {
    return restore_link(profiles, recorded);
  }
  auto problem = restore_generation(profiles, recorded);
  if (!is_restored(profiles.read(recorded.path), recorded)) {
    // nix-env could not (a full disk, a broken database). Where the old generation is gone, too,
    // its path under the profile's name is still better than the new one.
    const auto last = profiles.restore_link(recorded.path, means_the_same(profiles, recorded)
                                                               ? *recorded.link
                                                               : recorded.generation.path);
    problem = problem ? problem : last;
  }
  return problem;
}

void remove_our_generations(ProfileStore& profiles, const RecordedProfile& recorded) {
  const auto current = profiles.read(recorded.path).generation.number;
  for (const auto& [number, path] : known_generations(profiles, recorded)) {
    if (!was_recorded(recorded, number) && path == recorded.closure_path && current != number) {
      // One that stays is untidy, no harm: what counts is which one is current.
      profiles.delete_generation(recorded.path, number);
    }
  }
}

} // namespace

bool is_restored(const ProfileReading& reading, const RecordedProfile& recorded) {
  if (recorded.generation.path.empty()) {
    return reading.link == recorded.link;
  }
  return reading.generation.path == recorded.generation.path;
}

bool leads_to(const std::string& generation, const std::string& path) {
  return !path.empty() && !generation.empty() &&
         (path == generation || path == activated_by(generation) ||
          real_path(std::filesystem::path(generation) / "activate") == path + "/activate");
}

bool is_theirs(const ProfileReading& reading, const RecordedProfile& recorded) {
  const auto& now = reading.generation.path;
  return !now.empty() && !leads_to(recorded.generation.path, now) &&
         !leads_to(recorded.closure_path, now);
}

Problem restore_profile(ProfileStore& profiles, const RecordedProfile& recorded) {
  const auto problem = restore(profiles, recorded);
  const auto reading = profiles.read(recorded.path);
  if (!is_restored(reading, recorded)) {
    return "the profile is " +
           (reading.generation.path.empty() ? "gone" : reading.generation.path) +
           (problem ? ": " + *problem : "");
  }
  remove_our_generations(profiles, recorded);
  return std::nullopt;
}

} // namespace belay::agent
