// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// Nix says what it does as lines `@nix {…}` on stderr (`--log-format internal-json`): activities
// that start, give results and stop, and messages. The format has no promise of stability, so it is
// read with doubt: what is not understood is handed on as text or as `other`, never an error.

namespace belay::nix {

/// Activity and result numbers that matter to belay (Nix, src/libutil/logging.hh).
namespace activity {
inline constexpr std::int64_t copy_path = 100;
inline constexpr std::int64_t copy_paths = 103;
inline constexpr std::int64_t build = 105;
inline constexpr std::int64_t substitute = 108;
} // namespace activity

struct LogRecord {
  enum class Kind {
    text,     ///< not Nix's JSON: `text` is the line
    message,  ///< `level`, `text`; level 0 is an error or a trace, 1 a warning
    start,    ///< activity `id` of `type`; `subject` is its first field (a derivation, a path)
    stop,     ///< activity `id`
    log_line, ///< `text`, written by activity `id`
    expected, ///< activity `id` expects `number` (of bytes) for its activities of `type`
    other,    ///< progress, phases, and whatever later releases bring
  };
  Kind kind = Kind::other;
  std::int64_t id = 0;
  std::int64_t level = 0;
  std::int64_t type = -1;
  std::int64_t number = 0;
  std::string subject;
  std::string text; ///< clean (base/text.h), may have several lines
};

/// Reads one line of stderr. Never throws for what the line holds.
LogRecord parse_log_line(std::string_view line);

} // namespace belay::nix
