// SPDX-License-Identifier: Apache-2.0
#pragma once

// Streams of `log` events that are belay's own words and stand on the console as lines. The others
// are what programs say.

namespace belay::event::streams {

/// What goes on, for a log that would else be silent for long; on a terminal the frame shows it.
inline constexpr const char* progress = "progress";
/// What the reader should know of the run, and is no warning.
inline constexpr const char* note = "note";

} // namespace belay::event::streams
