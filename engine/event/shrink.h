// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/event/event.h"

namespace belay::event {

/// Makes the event smaller, the more so the higher `round` (from 0): first long texts are cut, then
/// lists, then long names. False when there is nothing more to take.
bool shrink(Event& event, int round);

} // namespace belay::event
