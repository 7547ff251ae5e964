// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/clock.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Text that comes from elsewhere (logs, names, other programs' errors) made fit to be shown or
// stored, and the few ways in which belay prints quantities. All pure, any thread.

namespace belay {

/// Invalid UTF-8 becomes U+FFFD, a byte at a time.
std::string valid_utf8(std::string_view text);
/// How much of the start of `text` is valid UTF-8: all of it, or up to its first invalid byte.
std::size_t valid_utf8_size(std::string_view text);

/// Terminal escape sequences removed (CSI, OSC, other two-byte escapes).
std::string strip_ansi(std::string_view text);

/// What may be put into an event or on a terminal: strip_ansi, valid_utf8, then C0 controls but TAB
/// and LF dropped (CR LF becomes LF).
std::string clean_text(std::string_view text);
/// Printable ASCII, tabs and line feeds only: nearly every text there is, and clean_text leaves it
/// as it is.
bool is_plain_text(std::string_view text);

/// clean_text on one line: every run of line breaks and tabs becomes one blank.
std::string one_line(std::string_view text);
/// Printable ASCII without a blank at either end: one_line leaves it as it is.
bool is_one_line(std::string_view text);

/// The last `bytes` of `text` at most, cut at a line or at least at a code point's start.
std::string_view tail(std::string_view text, std::size_t bytes);

std::vector<std::string> split(std::string_view text, char separator);
std::vector<std::string> split_white_space(std::string_view text);
std::string join(std::span<const std::string> parts, std::string_view separator);
std::string_view trim(std::string_view text);

/// One word for a POSIX shell, in single quotes where it needs them.
std::string shell_quote(std::string_view word);

/// The candidate nearest to `word`, if near enough to be what was meant ("did you mean").
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);

/// "0.4 s", "12.3 s", "2 min 05 s".
std::string format_duration(Duration duration);
/// "512 B", "12.3 MiB".
std::string format_bytes(std::uint64_t bytes);
/// RFC 3339 in UTC with milliseconds: "2026-11-22T09:28:36.123Z". Of the years 0 to 9999; before
/// and after them, the first or last moment of those.
std::string format_time(WallTime time);
/// The reverse; nullopt for anything else than that form.
std::optional<WallTime> parse_time(std::string_view text);

/// `bytes` random bytes from the system as lower-case hex digits. Throws Error{system}.
std::string random_hex(std::size_t bytes);
/// A UUIDv7 (RFC 9562): sorts by time of creation.
std::string make_uuid_v7(WallTime now);

} // namespace belay
