// SPDX-License-Identifier: Apache-2.0
#include "engine/base/file.h"
#include "engine/base/text.h"
#include "engine/event/exit_code.h"
#include "tests/catch.h"

using namespace belay;

TEST_CASE("docs/exit-codes.md has the table of exit codes, word for word") {
  std::vector<std::string> documented, actual;
  const std::string text =
      read_file(std::string(BELAY_SOURCE_DIR) + "/docs/exit-codes.md", 1 << 20);
  for (const std::string& line : split(text, '\n'))
    if (line.size() > 2 && line.starts_with("| ") && line[2] >= '0' && line[2] <= '9')
      documented.push_back(line);
  for (const event::ExitCodeInfo& info : event::exit_codes())
    actual.push_back("| " + std::to_string(static_cast<int>(info.code)) + " | `" +
                     std::string(info.name) + "` | " + std::string(info.meaning) + " |");
  CHECK(documented == actual);
}
