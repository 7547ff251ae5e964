// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

// A machine may have no thread left to give: a CI container has a limit of processes, and each
// thread counts as one. That is an Error as any other, told by whoever needed the thread. A
// std::system_error that nobody expects would end the process, with every verdict that was due.

namespace belay {

/// What cannot be done without the thread ("looking up names") and what to do about it; `system`.
Error no_thread(std::string_view purpose, const std::system_error& why);

/// A thread that runs `function`, which must not throw: what it lets pass ends the process. Throws
/// Error{system}, which names `purpose`, where there can be no further thread.
template <class Function> std::thread start_thread(std::string_view purpose, Function&& function) {
  try {
    return std::thread(std::forward<Function>(function));
  } catch (const std::system_error& error) {
    throw no_thread(purpose, error);
  }
}

} // namespace belay
