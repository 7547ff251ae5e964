// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/event/event.h"

#include <functional>
#include <string>
#include <string_view>

// Every string inside an event, in one place: what cleans, masks or shortens text goes through here
// and cannot miss a member. Names are told apart from text because they are identities: two nodes
// whose names differ only in a control character must not become one.

namespace belay::event {

struct TextVisitor {
  std::function<void(std::string&)> name; ///< of a node or profile
  std::function<void(std::string&)> text; ///< everything else; may have several lines
};

void visit_text(Payload& payload, const TextVisitor& visitor);
void visit_text(Subject& subject, const TextVisitor& visitor);

/// Control characters made visible (ESC becomes U+241B) instead of dropped, TAB and LF kept.
std::string clean_name(std::string_view name);

/// The visitor that cleans: clean_name and clean_text.
TextVisitor cleaner();

} // namespace belay::event
