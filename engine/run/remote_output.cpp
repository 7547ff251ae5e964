// SPDX-License-Identifier: Apache-2.0
#include "engine/run/remote_output.h"

#include "engine/base/text.h"

#include <array>

namespace belay::run {

namespace {

constexpr std::size_t output_cap = 64 * 1024;

} // namespace

RemoteOutput output_of(ssh::Session& session, const std::string& command, const Wait& wait) {
  const auto channel = session.exec(command, wait);
  RemoteOutput output;
  std::array<char, 4096> chunk{};
  while (const auto count = channel->read(chunk.data(), chunk.size(), wait)) {
    if (output.text.size() < output_cap) {
      output.text.append(chunk.data(), count);
    }
  }
  output.end = channel->close(wait);
  return output;
}

std::string last_line_of(const RemoteOutput& output) {
  const auto text = trim(output.text);
  const auto feed = text.rfind('\n');
  return std::string(feed == text.npos ? text : text.substr(feed + 1));
}

} // namespace belay::run
