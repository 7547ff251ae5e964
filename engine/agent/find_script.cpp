// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/profile_store.h"
#include "engine/agent/scripts.h"
#include "engine/base/error.h"
#include "engine/base/file.h"

#include <cctype>
#include <filesystem>
#include <unistd.h>

namespace belay::agent {

namespace fs = std::filesystem;

namespace {

bool is_program(const fs::path& path) {
  std::error_code problem;
  return fs::is_regular_file(path, problem) && access(path.c_str(), X_OK) == 0;
}

/// Whether a program has the name of an environment variable in it: as a word, not in REBOOT.
bool names_variable(const fs::path& program, std::string_view variable) {
  constexpr std::size_t longest_script = 64 * 1024 * 1024;
  const auto is_word = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
  };
  try {
    const auto text = read_file(program, longest_script);
    for (auto at = text.find(variable); at != std::string::npos; at = text.find(variable, at + 1)) {
      const auto end = at + variable.size();
      if ((at == 0 || !is_word(text[at - 1])) && (end == text.size() || !is_word(text[end]))) {
        return true;
      }
    }
  } catch (const Error& error) { // too large: not known, then it had better not be run
    if (error.error_number() != 0) {
      throw;
    }
  }
  return false;
}

/// Whether a deploy-rs-activate does what is asked for, and not a whole activation instead.
bool will_do(const fs::path& program, ScriptCall::Kind kind) {
  switch (kind) {
  case ScriptCall::Kind::activation:
  case ScriptCall::Kind::rollback:
    return true;
  case ScriptCall::Kind::trial:
    return false;
  case ScriptCall::Kind::boot:
  case ScriptCall::Kind::boot_back:
    return names_variable(program, "BOOT");
  case ScriptCall::Kind::dry:
    return names_variable(program, "DRY_ACTIVATE");
  }
  return false;
}

/// Of switch-to-configuration.
std::string_view action_of(ScriptCall::Kind kind) {
  switch (kind) {
  case ScriptCall::Kind::activation:
  case ScriptCall::Kind::rollback:
    return "switch";
  case ScriptCall::Kind::trial:
    return "test";
  case ScriptCall::Kind::boot:
  case ScriptCall::Kind::boot_back:
    return "boot";
  case ScriptCall::Kind::dry:
    return "dry-activate";
  }
  return "";
}

} // namespace

std::optional<ScriptCommand> find_script(const std::string& generation, ScriptCall::Kind kind) {
  const fs::path folder(generation);
  if (is_program(folder / "deploy-rs-activate") && will_do(folder / "deploy-rs-activate", kind)) {
    return ScriptCommand{(folder / "deploy-rs-activate").string(), ""};
  }
  if (is_program(folder / "bin/switch-to-configuration")) {
    return ScriptCommand{(folder / "bin/switch-to-configuration").string(),
                         std::string(action_of(kind))};
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
