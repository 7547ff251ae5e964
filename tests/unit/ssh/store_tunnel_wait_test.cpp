// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/store_tunnel.h"
#include "tests/catch.h"

#include "engine/base/error.h"

#include <array>
#include <functional>
#include <future>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

// When the tunnel goes to sleep, and what it must not sleep through. The link is made up: it has no
// descriptor and no beat, so that a wake-up that is lost stays lost, and it can have things happen
// at the very moment in which the tunnel makes up its mind to wait.

using namespace std::chrono_literals;
using belay::Error;
using belay::ErrorKind;
using belay::Instant;
using belay::UniqueFd;
using belay::Wait;
using belay::ssh::Interest;
using belay::ssh::LinkStoreTunnel;

namespace {

constexpr auto patience = 5s; // far more than anything here takes

// What a command of the made-up link does.
struct Play {
  std::string output = {};    ///< at once
  bool waits_for_eof = false; ///< before its own end
  int refused_ends = 0;       ///< how often it takes no end of input, as in a key exchange
  std::function<void()> on_close = [] {}; ///< the tunnel learns that it is closed
  std::function<void()> on_eof = [] {};   ///< it has got its end of input
};

class PlayedCommand final : public belay::ssh::RemoteCommand {
public:
  PlayedCommand(Play play, int& running) : play_(std::move(play)), running_(running) { ++running_; }
  PlayedCommand(const PlayedCommand&) = delete;
  PlayedCommand& operator=(const PlayedCommand&) = delete;
  ~PlayedCommand() override { --running_; }

  std::optional<std::size_t> try_read(char* buffer, std::size_t size) override {
    const auto count = play_.output.copy(buffer, size);
    play_.output.erase(0, count);
    if (count == 0 && play_.waits_for_eof)
      return std::nullopt;
    return count;
  }
  std::size_t try_write(std::string_view text) override { return text.size(); }
  bool try_send_eof() override {
    if (play_.refused_ends-- > 0)
      return false;
    play_.waits_for_eof = false;
    play_.on_eof();
    return true;
  }
  bool try_closed() override {
    play_.on_close();
    return true;
  }
  void await(const Interest&, const Wait&, const char*) override {}
  bool unseen(const Interest& interest) const override {
    return interest.input && play_.waits_for_eof;
  }
  void add_polls(const Interest&, std::vector<pollfd>&) const override {}
  const std::string& stderr_tail() const override { return none_; }
  std::uint64_t stderr_bytes() const override { return 0; }
  belay::ssh::ChannelEnd end() const override { return {0, {}, {}, true}; }

private:
  Play play_;
  int& running_;
  std::string none_;
};

// Runs one command at a time: the plays, one after the other.
class PlayedLink final : public belay::ssh::RemoteLink {
public:
  explicit PlayedLink(std::vector<Play> plays) : plays_(std::move(plays)) {}

  std::function<void(int running)> on_wait = [](int) {}; ///< the tunnel is about to wait
  std::function<void()> on_refusal = [] {};

  std::unique_ptr<belay::ssh::RemoteCommand> start(const std::string&, const Wait&) override {
    if (running_ > 0) {
      on_refusal();
      throw Error(ErrorKind::transport_unsupported, "one at a time");
    }
    return std::make_unique<PlayedCommand>(plays_.at(next_++), running_);
  }
  bool lost() const override { return false; }
  const std::string& loss() const override { return none_; }
  void throw_if_lost() const override {}
  void add_polls(bool, std::vector<pollfd>&) const override { on_wait(running_); }
  Instant next_beat() const override { return Instant::max(); }
  void polled(bool) override {}

private:
  std::vector<Play> plays_;
  std::size_t next_ = 0;
  int running_ = 0;
  std::string none_;
};

// Something that happens in the tunnel's thread, once.
class Happening {
public:
  void happen() {
    if (!std::exchange(done_, true))
      promise_.set_value();
  }
  bool seen() { return future_.wait_for(patience) == std::future_status::ready; }

private:
  bool done_ = false;
  std::promise<void> promise_;
  std::future<void> future_ = promise_.get_future();
};

UniqueFd connect_to(const LinkStoreTunnel& tunnel) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  tunnel.store_uri().substr(7).copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

// More than a socket takes that nobody reads, and not so much that the tunnel does not take the
// rest.
std::string more_than_a_socket_holds(int fd) {
  int size = 0;
  socklen_t length = sizeof size;
  getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &length);
  return std::string(static_cast<std::size_t>(size) + 50000, 'x');
}

} // namespace

TEST_CASE("a stop that comes as the tunnel is about to wait is not slept through") {
  const bool somebody_there = GENERATE(false, true);
  Happening stopped;
  std::promise<LinkStoreTunnel*> made;
  auto link = std::make_shared<PlayedLink>(std::vector<Play>{{.waits_for_eof = true}});
  link->on_wait = [&, tunnel = made.get_future().share()](int running) {
    if (running == 0 && somebody_there)
      return;
    tunnel.get()->stop();
    stopped.happen();
  };
  LinkStoreTunnel tunnel(link, {});
  made.set_value(&tunnel);
  const auto local = somebody_there ? connect_to(tunnel) : UniqueFd();
  REQUIRE(stopped.seen());
  const auto wait = Wait::at_most(patience);
  const auto end = tunnel.finish(wait);
  CHECK_FALSE(wait.expired());
  CHECK(end.has_value() == somebody_there);
}

TEST_CASE("who waits for a place gets it, also when the one before him left without a word") {
  Happening closed, refused;
  const UniqueFd any(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  auto link = std::make_shared<PlayedLink>(std::vector<Play>{
      {.output = more_than_a_socket_holds(any.get()), .on_close = [&] { closed.happen(); }},
      {.output = "2"}});
  link->on_refusal = [&] { refused.happen(); };
  LinkStoreTunnel tunnel(link, {});
  auto first = connect_to(tunnel);
  REQUIRE(closed.seen());
  const auto second = connect_to(tunnel);
  REQUIRE(refused.seen());
  first.reset(); // nobody takes what is left for him
  const timeval limit{patience.count(), 0};
  setsockopt(second.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  char byte = 0;
  CHECK(read(second.get(), &byte, 1) == 1);
  CHECK(byte == '2');
}

TEST_CASE("an end of input that could not be sent is sent later") {
  Happening told;
  auto link = std::make_shared<PlayedLink>(std::vector<Play>{
      {.waits_for_eof = true, .refused_ends = 3, .on_eof = [&] { told.happen(); }}});
  LinkStoreTunnel tunnel(link, {});
  const auto local = connect_to(tunnel);
  shutdown(local.get(), SHUT_WR);
  CHECK(told.seen());
}

TEST_CASE("a tunnel whose link throws whatever it likes has ended, and says why") {
  const auto link = std::make_shared<PlayedLink>(std::vector<Play>{});
  Happening thrown;
  link->on_wait = [&](int) {
    thrown.happen();
    throw std::runtime_error("nobody expected this");
  };
  LinkStoreTunnel tunnel(link, {});
  CHECK(thrown.seen());
  const auto end = tunnel.finish(Wait::at_most(patience));
  REQUIRE(end);
  CHECK_FALSE(end->succeeded());
  CHECK(end->stderr_tail == "nobody expected this");
}
