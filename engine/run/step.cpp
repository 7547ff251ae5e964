// SPDX-License-Identifier: Apache-2.0
#include "engine/run/step.h"

#include <array>

namespace belay::run {

namespace {

constexpr std::array<std::string_view, 6> kind_names = {"evaluate", "build",    "copy",
                                                        "activate", "rollback", "finish"};

} // namespace

std::string_view name_of(StepKind kind) {
  return kind_names.at(static_cast<std::size_t>(kind));
}

} // namespace belay::run
