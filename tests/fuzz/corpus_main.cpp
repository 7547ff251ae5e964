// SPDX-License-Identifier: Apache-2.0
#include "engine/base/file.h"
#include "tests/fuzz/fuzz_target.h"

#include <exception>
#include <filesystem>
#include <iostream>

// Feeds a target with each text of its corpus: fuzz_NAME FOLDER.

int main(int argument_count, char** arguments) {
  if (argument_count != 2) {
    std::cerr << "usage: fuzz_NAME FOLDER\n";
    return 2;
  }
  std::size_t texts = 0;
  std::string name;
  try {
    for (const auto& entry : std::filesystem::directory_iterator(arguments[1])) {
      name = entry.path().string();
      std::cout << name << std::endl; // at once: the last line says which text broke it
      belay::fuzz::feed(belay::read_file(entry.path(), 1024 * 1024));
      ++texts;
    }
  } catch (const std::exception& error) {
    std::cerr << name << ": " << error.what() << "\n";
    return 1;
  }
  std::cout << texts << " texts\n";
  return texts == 0 ? 1 : 0; // an empty corpus tests nothing
}
