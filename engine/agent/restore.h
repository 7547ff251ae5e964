// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/profile_store.h"
#include "engine/agent/record.h"

// Putting a profile link back to what was recorded. A generation number is no identity: setting the
// current path again makes no new generation, deleted numbers are used again, switching to a
// dangling link succeeds, and a profile may be no generation at all. So the number is used only
// while it still leads to the recorded path, and in the end the link is read back.

namespace belay::agent {

/// Whether the link is what was recorded.
bool is_restored(const ProfileReading& reading, const RecordedProfile& recorded);

/// Whether running the script of `generation` leaves the profile at `path`. Not only where they are
/// the same: home-manager's sets the profile to what is wrapped.
bool leads_to(const std::string& generation, const std::string& path);

/// Whether somebody else has set the profile since: it leads neither to what was recorded nor to
/// what this transaction set, nor nowhere.
bool is_theirs(const ProfileReading& reading, const RecordedProfile& recorded);

/// Restores the link and removes the generation that this transaction made. Doing it again changes
/// nothing. nullopt = read back and right.
Problem restore_profile(ProfileStore& profiles, const RecordedProfile& recorded);

} // namespace belay::agent
