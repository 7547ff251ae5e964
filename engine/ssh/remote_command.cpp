// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/remote_command.h"

namespace belay::ssh {
namespace {

constexpr std::size_t stderr_cap = 4 * 1024; // transaction.md, "Copy": the last 4 KiB

} // namespace

void StderrTail::add(std::string_view text) {
  bytes_ += text.size();
  text_ += text;
  if (text_.size() > stderr_cap)
    text_.erase(0, text_.size() - stderr_cap);
}

} // namespace belay::ssh
