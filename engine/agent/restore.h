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

/// Restores the link and removes the generation that this transaction made. Doing it again changes
/// nothing. nullopt = read back and right.
Problem restore_profile(ProfileStore& profiles, const RecordedProfile& recorded);

} // namespace belay::agent
