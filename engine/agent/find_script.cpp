// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/profile_store.h"
#include "engine/agent/scripts.h"

#include <filesystem>
#include <unistd.h>

namespace belay::agent {

namespace fs = std::filesystem;

namespace {

bool is_program(const fs::path& path) {
  std::error_code problem;
  return fs::is_regular_file(path, problem) && access(path.c_str(), X_OK) == 0;
}

} // namespace

std::optional<ScriptCommand> find_script(const std::string& generation, ScriptCall::Kind kind) {
  using Kind = ScriptCall::Kind;
  const fs::path folder(generation);
  if (kind != Kind::trial && is_program(folder / "deploy-rs-activate")) {
    return ScriptCommand{(folder / "deploy-rs-activate").string(), ""};
  }
  if (is_program(folder / "bin/switch-to-configuration")) {
    return ScriptCommand{(folder / "bin/switch-to-configuration").string(),
                         kind == Kind::trial  ? "test"
                         : kind == Kind::boot ? "boot"
                                              : "switch"};
  }
  if (kind == ScriptCall::Kind::rollback && is_program(folder / "activate")) {
    return ScriptCommand{(folder / "activate").string(), ""};
  }
  return std::nullopt;
}

const std::vector<std::string>& activation_programs() {
  static const std::vector<std::string> names = {"deploy-rs-activate",
                                                 "bin/switch-to-configuration"};
  return names;
}

std::string activated_by(const std::string& generation) {
  // A system's own store path is where its switch-to-configuration really stands.
  const auto program = real_path(fs::path(generation) / "bin/switch-to-configuration");
  return program.empty() ? "" : fs::path(program).parent_path().parent_path().string();
}

} // namespace belay::agent
