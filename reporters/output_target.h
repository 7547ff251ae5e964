// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/file.h"

#include <string>

// Where a stream of lines goes: a file, stdout or a descriptor that the caller opened.

namespace belay::reporters {

struct OutputTarget {
  UniqueFd fd;
  bool is_file = false; ///< a regular file: writing to it cannot wait for a reader
};

/// Opens `PATH`, `-` (stdout) or `fd:N`, close-on-exec. The folders of a PATH are made, an existing
/// file is emptied, a FIFO is waited for 5 s to get a reader. What can wait for a reader does not
/// block where the system lets us have that for ourselves; the caller's descriptor stays as it is.
/// Throws Error{usage}: a report that cannot be written is a wrong command line and nothing that a
/// finished deploy should find out.
OutputTarget open_output(const std::string& target);

} // namespace belay::reporters
