// SPDX-License-Identifier: Apache-2.0
#include "engine/base/text.h"
#include "engine/event/event.h"
#include "engine/event/event_json.h"
#include "engine/event/event_text.h"
#include "engine/event/line_split.h"

namespace belay::event {

namespace {

/// Cleaned before masked: an escape sequence in the middle of a secret must not save it.
void sanitise(Draft& draft, const SecretMask& mask) {
  const TextVisitor clean = cleaner();
  const TextVisitor clean_and_mask{[&](std::string& name) { name = mask.apply(clean_name(name)); },
                                   [&](std::string& text) { text = mask.apply(clean_text(text)); }};
  const TextVisitor& visitor = mask.empty() ? clean : clean_and_mask;
  visit_text(draft.payload, visitor);
  visit_text(draft.subject, visitor);
  draft.message = mask.apply(one_line(draft.message));
}

} // namespace

Emitter::Emitter(std::string run, const Clock& clock, Sink& sink, SecretMask mask)
    : run_(std::move(run)), clock_(clock), sink_(sink), mask_(std::move(mask)) {}

void Emitter::emit(Draft draft) {
  sanitise(draft, mask_);
  if (is_whole(draft))
    return send(std::move(draft));
  for (Draft& part : split_draft(std::move(draft)))
    send(std::move(part));
}

void Emitter::send(Draft draft) {
  Event event;
  event.sequence = ++sequence_;
  event.time = clock_.wall();
  event.run = run_;
  event.level = draft.level;
  event.message =
      draft.message.empty() ? describe(draft.payload, draft.subject) : std::move(draft.message);
  event.subject = std::move(draft.subject);
  event.payload = std::move(draft.payload);
  sink_.on_event(event);
}

} // namespace belay::event
