// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/event/event.h"

#include <vector>

namespace belay::event::test {

/// One of each payload with every field set, in the order of Payload.
std::vector<Payload> full_payloads();
/// One of each payload with nothing set.
std::vector<Payload> empty_payloads();

Event event_of(Payload payload, Subject subject = {});

} // namespace belay::event::test
