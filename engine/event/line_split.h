// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/event/event.h"

#include <vector>

// What does not fit into one line of the event stream becomes several events: log text in parts,
// and the announcement of a large plan in parts, numbered so that a reader knows when he has all.

namespace belay::event {

/// Neither a long text nor a plan: split_draft would give it back as it is.
bool is_whole(const Draft& draft);

/// The draft itself where it fits; its parts in order where it does not. Text is clean already.
std::vector<Draft> split_draft(Draft draft);

} // namespace belay::event
