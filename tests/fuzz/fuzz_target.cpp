// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/fuzz_target.h"

#include <cstdlib>
#include <iostream>

namespace belay::fuzz {

void require(bool holds, std::string_view what) {
  if (holds)
    return;
  std::cerr << "does not hold: " << what << std::endl;
  std::abort();
}

} // namespace belay::fuzz
