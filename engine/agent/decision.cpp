// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/decision.h"

#include "engine/agent/fault_point.h"
#include "engine/base/error.h"
#include "engine/base/file.h"

#include <cerrno>
#include <cstdio>
#include <sys/stat.h>

namespace belay::agent {

namespace {

constexpr const char* held = "held";
constexpr const char* pending = "pending";

const char* name_of(Verdict verdict) {
  return verdict == Verdict::confirmed ? "confirmed" : "expired";
}

/// False where there is no `from`.
bool renamed(const std::filesystem::path& folder, const char* from, const char* to) {
  if (rename((folder / from).c_str(), (folder / to).c_str()) == 0) {
    return true;
  }
  if (errno == ENOENT) {
    return false;
  }
  throw Error::from_errno("cannot decide in " + folder.string(), errno);
}

} // namespace

void DecisionFiles::create(std::size_t profile) {
  const CutAround cut(Deed::hold_decision);
  if (mkdir(of(profile).c_str(), 0700) != 0) {
    throw Error::from_errno("cannot make the folder " + of(profile).string(), errno);
  }
  replace_file(of(profile) / held, "", {.mode = 0600});
}

void DecisionFiles::offer(std::size_t profile) {
  // Not synced: a machine that goes down now has lost the race anyway.
  const CutAround cut(Deed::offer_decision);
  renamed(of(profile), held, pending);
}

std::optional<Verdict> DecisionFiles::decide(std::size_t profile, Verdict wanted) {
  const CutAround cut(wanted == Verdict::confirmed ? Deed::decide_confirmed : Deed::decide_expired);
  const bool won = renamed(of(profile), pending, name_of(wanted));
  // Also for the loser: the winner's rename may not be on the disk yet, and we are about to act on
  // it.
  sync_directory(of(profile));
  return won ? wanted : read(profile);
}

std::optional<Verdict> DecisionFiles::read(std::size_t profile) const {
  for (const auto verdict : {Verdict::confirmed, Verdict::expired}) {
    if (std::filesystem::exists(of(profile) / name_of(verdict))) {
      return verdict;
    }
  }
  return std::nullopt;
}

} // namespace belay::agent
