// SPDX-License-Identifier: Apache-2.0
#include "runner/agent_folders.h"

namespace belay::runner {

std::vector<std::filesystem::path> agent_folders(const Environment& environment) {
  std::vector<std::filesystem::path> folders;
  if (const auto named = environment("BELAY_AGENT_DIR")) {
    folders.emplace_back(*named);
  }
  std::error_code problem;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", problem);
  if (!problem) {
    folders.push_back(self.parent_path().parent_path() / "share/belay/agents");
    folders.push_back(self.parent_path());
  }
  return folders;
}

} // namespace belay::runner
