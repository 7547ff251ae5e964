// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/protocol.h"
#include "engine/base/error.h"
#include "tests/fuzz/fuzz_target.h"

// A line between runner and agent, in either direction: the other side may be anything.

namespace belay::fuzz {

namespace {

template <class Decode> void feed_to(std::string_view line, const Decode& decode) {
  try {
    const std::string written = agent::encode(decode(line));
    require(written.size() <= agent::line_limit, "a line keeps to its limit");
    require(written.find('\n') == written.size() - 1, "a message is one line");
    require(agent::encode(decode(written)) == written, "it is written and read as the same");
  } catch (const Error& error) {
    require(error.kind() == ErrorKind::protocol, "no message: protocol");
    require(error.message().find('\n') == std::string::npos, "an error is one line");
  }
}

} // namespace

void feed(std::string_view text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  feed_to(line, agent::decode_request);
  feed_to(line, agent::decode_message);
  agent::looks_like_hello(line);
}

} // namespace belay::fuzz
