// SPDX-License-Identifier: Apache-2.0
#include "engine/run/store_door.h"

#include "engine/agent/store.h"
#include "tests/catch.h"

#include <algorithm>
#include <cstring>
#include <deque>

namespace {

using namespace belay;

/// What a target prints, piece by piece, until its command has ended.
class PrintingChannel final : public ssh::Channel {
public:
  explicit PrintingChannel(std::deque<std::string> pieces) : pieces_(std::move(pieces)) {}

  std::optional<std::size_t> read_or_stderr(char* buffer, std::size_t size, std::uint64_t,
                                            const Wait&) override {
    if (pieces_.empty()) {
      return 0;
    }
    const auto piece = pieces_.front().substr(0, size);
    pieces_.pop_front();
    std::memcpy(buffer, piece.data(), piece.size());
    return piece.size();
  }
  void write(std::string_view text, const Wait&) override { written += text; }
  void send_eof(const Wait&) override {}
  std::string stderr_tail() const override { return "sudo: no"; }
  std::uint64_t stderr_bytes() const override { return 0; }
  ssh::ChannelEnd close(const Wait&) override { return {1, {}, "sudo: no", true}; }

  std::size_t unread() const { return pieces_.size(); }
  std::string written;

private:
  std::deque<std::string> pieces_;
};

run::AgentStart start() {
  return {"/nix/store/agent", "deploy", "root", "sudo -u", nullptr, "store"};
}

const std::string greeting = std::string(agent::store_greeting) + "\n";

} // namespace

TEST_CASE("the store's protocol begins when the agent has greeted, whatever is printed before") {
  run::StoreDoor door(start());
  PrintingChannel channel({"motd\n" + greeting.substr(0, 5), greeting.substr(5), "the store's"});
  door.service().begin(channel, Wait::at_most(std::chrono::seconds(5)));
  CHECK(channel.unread() == 1);
  CHECK(channel.written.empty());
  CHECK_FALSE(door.refusal());
}

TEST_CASE("what merely looks like the greeting opens no door") {
  run::StoreDoor door(start());
  const auto line = GENERATE(as<std::string>{}, "you said " + greeting,
                             greeting.substr(0, greeting.size() - 1) + " not\n", "");
  PrintingChannel channel({line});
  CHECK_THROWS_AS(door.service().begin(channel, Wait::at_most(std::chrono::seconds(5))), Error);
  REQUIRE(door.refusal());
  CHECK(door.refusal()->message().find("sudo: no") != std::string::npos);
  door.service(); // the next connection has its own end
  CHECK_FALSE(door.refusal());
}

TEST_CASE("a shell that prints without end before the greeting is given up") {
  run::StoreDoor door(start());
  PrintingChannel channel(std::deque<std::string>(20, std::string(4096, 'x')));
  CHECK_THROWS_AS(door.service().begin(channel, Wait::at_most(std::chrono::seconds(5))), Error);
  CHECK(channel.unread() > 0);
}
