// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/event/event.h"

#include <optional>
#include <string>
#include <string_view>

// The event's JSON form: one object a line, flat envelope, snake_case. This is the
// contract that other programs read (docs/events.md; `belay schema events` prints its JSON Schema).

namespace belay::event {

/// The longest line that is ever written, in bytes, its line feed included. CloudEvents names the
/// same size as what every intermediary must forward. Longer log text is split by `split_log`.
inline constexpr std::size_t line_limit = 64 * 1024;

inline constexpr std::string_view schema_name = "belay.events";
inline constexpr int schema_major = 1; ///< `v` of each line; another one is not ours to read
inline constexpr int schema_minor = 1; ///< grows with each addition

/// One line without its line feed. Text is cleaned (escape sequences out, invalid UTF-8 replaced).
/// With its line feed it never has more than `limit` bytes (1024 or more): what is too long loses
/// the ends of its longest texts and then of its lists. The Emitter splits before it comes to that.
std::string to_json_line(const Event& event, std::size_t limit = line_limit);

/// The event of a line; nullopt where its type is not one of ours (ignore it: a newer belay wrote
/// it). Unknown fields are ignored, missing ones and ones of another type are as if none had been
/// given, an unknown outcome is an error. Throws Error{protocol} for a line that is no event at
/// all, or of another major version.
std::optional<Event> from_json_line(std::string_view line);

/// Log text as drafts whose lines stay under line_limit, numbered by `part` where there are
/// several.
std::vector<Draft> split_log(std::string stream, std::string_view text, const Subject& subject,
                             Level level = Level::info);

/// The JSON Schema (draft-07) of a line.
std::string events_schema();

} // namespace belay::event
