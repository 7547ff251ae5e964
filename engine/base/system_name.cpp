// SPDX-License-Identifier: Apache-2.0
#include "engine/base/system_name.h"

namespace belay {

std::string system_name() {
#if defined(__x86_64__)
  const std::string machine = "x86_64";
#elif defined(__aarch64__)
  const std::string machine = "aarch64";
#elif defined(__i386__)
  const std::string machine = "i686";
#elif defined(__riscv) && __riscv_xlen == 64
  const std::string machine = "riscv64";
#elif defined(__powerpc64__)
  const std::string machine = "powerpc64le";
#else
  const std::string machine = "unknown";
#endif
#ifdef __APPLE__
  return machine + "-darwin";
#else
  return machine + "-linux";
#endif
}

} // namespace belay
