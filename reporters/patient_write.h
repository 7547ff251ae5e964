// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/cancel.h"

#include <string_view>

// Writing to what may not be read: a pipe, a terminal that is stopped. For a thread that has
// nothing else to do.

namespace belay::reporters {

/// For the calling thread: a write to a pipe without a reader is an error here, whatever the
/// process does with SIGPIPE.
void block_sigpipe();

/// Writes all of it, waiting for the reader; false when cancelled or at the deadline. Throws
/// Error{system}, for example where the reader is gone.
bool write_waiting(int fd, std::string_view text, const Wait& wait);

} // namespace belay::reporters
