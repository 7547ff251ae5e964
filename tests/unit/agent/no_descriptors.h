// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <sys/resource.h>

namespace belay::agent::test {

/// While it lives this process can open nothing: a host whose table of files is full.
class NoDescriptors {
public:
  NoDescriptors() {
    // The sanitizer of vptrs needs a pipe when it meets a type for the first time.
    static_cast<void>(Error::from_errno("", 0));
    getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit none{0, before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

private:
  rlimit before_{};
};

} // namespace belay::agent::test
