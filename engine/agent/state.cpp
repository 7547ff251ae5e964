// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/protocol.h"

#include <array>
#include <utility>

namespace belay::agent {

namespace {
constexpr std::array<std::string_view, 3> mode_names = {"activate", "dry-activate", "boot"};

constexpr std::array<std::pair<State, std::string_view>, 12> names = {{
    {State::prepared, "prepared"},
    {State::switched, "switched"},
    {State::activated, "activated"},
    {State::awaiting_confirm, "awaiting-confirm"},
    {State::setting_boot_default, "setting-boot-default"},
    {State::confirmed, "confirmed"},
    {State::dry_run, "dry-run"},
    {State::failed, "failed"},
    {State::rolling_back, "rolling-back"},
    {State::rolled_back, "rolled-back"},
    {State::rollback_failed, "rollback-failed"},
    {State::superseded, "superseded"},
}};
} // namespace

std::string_view name_of(Mode mode) {
  return mode_names.at(static_cast<std::size_t>(mode));
}

std::optional<Mode> mode_from(std::string_view name) {
  for (std::size_t i = 0; i < mode_names.size(); ++i) {
    if (mode_names[i] == name) {
      return static_cast<Mode>(i);
    }
  }
  return std::nullopt;
}

std::string_view name_of(State state) {
  for (const auto& [value, name] : names) {
    if (value == state) {
      return name;
    }
  }
  return "";
}

std::optional<State> state_from(std::string_view name) {
  for (const auto& [value, known] : names) {
    if (known == name) {
      return value;
    }
  }
  return std::nullopt;
}

bool is_final(State state) {
  switch (state) {
  case State::confirmed:
  case State::dry_run:
  case State::failed:
  case State::rolled_back:
  case State::rollback_failed:
  case State::superseded:
    return true;
  case State::prepared:
  case State::switched:
  case State::activated:
  case State::awaiting_confirm:
  case State::setting_boot_default:
  case State::rolling_back:
    return false;
  }
  return false;
}

} // namespace belay::agent
