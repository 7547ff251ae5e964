// SPDX-License-Identifier: Apache-2.0
#include "engine/run/store_door.h"

#include "engine/agent/store.h"
#include "engine/base/text.h"

#include <array>
#include <utility>

namespace belay::run {

namespace {

constexpr std::size_t longest_noise = 64 * 1024; // of a login shell, before the greeting

/// Whether one of the whole lines of `text` is the greeting.
bool greets(const std::string& text) {
  const auto at = text.find(std::string(agent::store_greeting) + "\n");
  return at == 0 || (at != std::string::npos && text[at - 1] == '\n');
}

} // namespace

StoreDoor::StoreDoor(AgentStart start)
    : start_(std::move(start)), prompt_(start_.password),
      command_(serve_command(start_, prompt_.marker())) {}

ssh::StoreService StoreDoor::service() {
  refusal_.reset();
  return {command_, [this](ssh::Channel& channel, const Wait& wait) { pass(channel, wait); }};
}

void StoreDoor::pass(ssh::Channel& channel, const Wait& wait) {
  SudoPrompt prompt = prompt_;
  try {
    await_greeting(channel, prompt, wait);
  } catch (const Error& error) {
    refusal_ = error;
    throw;
  }
}

void StoreDoor::await_greeting(ssh::Channel& channel, SudoPrompt& prompt, const Wait& wait) {
  std::string printed;
  std::array<char, 4096> chunk{};
  while (!greets(printed)) {
    const auto count = prompt.read(channel, chunk.data(), chunk.size(), wait);
    if (count == 0) {
      throw start_failure(start_, {command_, channel.close(wait), printed, prompt.answered()});
    }
    printed.append(chunk.data(), count);
    if (printed.size() > longest_noise) {
      throw Error(ErrorKind::protocol,
                  "the target's shell printed more than 64 KiB before the agent's greeting");
    }
  }
}

} // namespace belay::run
