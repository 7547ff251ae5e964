// SPDX-License-Identifier: Apache-2.0
#include "runner/program.h"

int main(int argc, char** argv) {
  return belay::runner::run_program({argv + 1, argv + argc});
}
