// SPDX-License-Identifier: Apache-2.0
#include "engine/run/sudo_prompt.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <algorithm>

namespace belay::run {

SudoPrompt::SudoPrompt(std::shared_ptr<const Secret> password)
    : password_(std::move(password)), marker_(password_ ? "BELAY-" + random_hex(16) : "") {}

std::size_t SudoPrompt::read(ssh::Channel& channel, char* buffer, std::size_t size,
                             const Wait& wait) {
  if (!password_) {
    return channel.read(buffer, size, wait);
  }
  for (;;) {
    const auto seen = channel.stderr_bytes();
    while (asked_anew(channel)) {
      answer(channel, wait);
    }
    if (const auto count = channel.read_or_stderr(buffer, size, seen, wait)) {
      return *count;
    }
  }
}

/// Looks for the marker where it was not looked for yet; half of one is looked at again.
bool SudoPrompt::asked_anew(const ssh::Channel& channel) {
  const auto tail = channel.stderr_tail();
  const auto before = channel.stderr_bytes() - tail.size(); // what the tail has lost
  const auto from = looked_at_ - std::min(looked_at_, before);
  const auto found = tail.find(marker_, static_cast<std::size_t>(from));
  if (found == std::string::npos) {
    return false;
  }
  looked_at_ = before + found + marker_.size();
  return true;
}

void SudoPrompt::answer(ssh::Channel& channel, const Wait& wait) {
  if (answered_) {
    throw Error(ErrorKind::secret, "sudo asks again: the password from " + password_->origin() +
                                       " is wrong, or sudo asks for more than one");
  }
  answered_ = true;
  const Secret line(password_->text() + "\n", password_->origin()); // wiped whatever happens
  channel.write(line.text(), wait);
}

} // namespace belay::run
