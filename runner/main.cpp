// SPDX-License-Identifier: Apache-2.0
#include "engine/base/secret.h"
#include "runner/program.h"

int main(int argc, char** argv) {
  // Passwords, webhook secrets, private keys: from before the first is read to after the last is
  // forgotten. A crash is to be told by its message, not by a dump.
  belay::keep_memory_private();
  return belay::runner::run_program({argv + 1, argv + argc});
}
