// SPDX-License-Identifier: Apache-2.0
#include "engine/base/thread.h"

#include <string>

namespace belay {

Error no_thread(std::string_view purpose, const std::system_error& why) {
  return Error(ErrorKind::system,
               "no thread can be had for " + std::string(purpose) + " (" + why.code().message() +
                   "): this machine's limit of processes is reached; raise it (ulimit -u, or the "
                   "pids limit of the container), or deploy fewer nodes at once (--parallel)");
}

} // namespace belay
