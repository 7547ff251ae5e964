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

std::string own_system() {
#if defined(__x86_64__)
  const std::string machine = "x86_64";
#elif defined(__aarch64__)
  const std::string machine = "aarch64";
#elif defined(__i386__)
  const std::string machine = "i686";
#elif defined(__riscv)
  const std::string machine = "riscv64";
#else
  const std::string machine = "unknown";
#endif
#if defined(__APPLE__)
  return machine + "-darwin";
#else
  return machine + "-linux";
#endif
}

} // namespace belay::runner
