// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/store.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "tests/fakes/fake_sudo.h"
#include "tests/fakes/fake_world.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

// The way to the fake targets: connections that die when their host says so, and channels on which
// the real protocol is spoken, line by line.

namespace belay::fakes {

namespace {

/// A connection as its channels see it.
struct Line {
  FakeWorld& world;
  FakeHost& host;
  std::string name;  ///< of the host
  std::string user;  ///< who logged in
  std::string login; ///< that and the options
  int epoch;
  int hushed; ///< as the host had it when this was made
  bool killed = false;

  bool silent() const { return host.hushed != hushed; }
  bool dead() const { return killed || !host.reachable || host.epoch != epoch; }
  void require() const {
    if (dead()) {
      throw Error(ErrorKind::unreachable, "the connection was lost");
    }
  }
};

class TextChannel final : public ssh::Channel {
public:
  TextChannel(std::shared_ptr<Line> line, std::string text)
      : line_(std::move(line)), text_(std::move(text)) {}
  std::optional<std::size_t> read_or_stderr(char* buffer, std::size_t size, std::uint64_t,
                                            const Wait&) override {
    const std::lock_guard lock(line_->world.mutex);
    line_->require();
    const auto count = std::min(size, text_.size());
    std::memcpy(buffer, text_.data(), count);
    text_.erase(0, count);
    return count;
  }
  void write(std::string_view, const Wait&) override {}
  void send_eof(const Wait&) override {}
  std::string stderr_tail() const override { return {}; }
  std::uint64_t stderr_bytes() const override { return 0; }
  ssh::ChannelEnd close(const Wait&) override { return {0, {}, {}, true}; }

private:
  std::shared_ptr<Line> line_;
  std::string text_;
};

class AgentChannel final : public ssh::Channel {
public:
  /// `user`: as whom the agent runs; each has one state directory.
  AgentChannel(std::shared_ptr<Line> line, const std::string& user)
      : line_(std::move(line)), user_(user), place_(line_->name + ":/home/" + user) {
    out_ = "motd: welcome\n";
    agent::Hello hello;
    hello.system = "x86_64-linux";
    hello.user = user;
    hello.state_id = place_;
    say(hello);
  }

  std::optional<std::size_t> read_or_stderr(char* buffer, std::size_t size, std::uint64_t,
                                            const Wait& wait) override {
    for (;;) {
      {
        const std::lock_guard lock(line_->world.mutex);
        line_->require();
        line_->world.tick(line_->host, [this](const agent::Message& message) { say(message); });
        say_what_is_ready();
        if (!out_.empty() && !line_->silent()) {
          const auto count = std::min(size, out_.size());
          std::memcpy(buffer, out_.data(), count);
          out_.erase(0, count);
          return count;
        }
      }
      if (wait_readable(-1, wait.within(std::chrono::milliseconds(5))) == Ready::cancelled) {
        wait.cancel.throw_if_cancelled();
      }
      if (wait.expired()) {
        throw Error(ErrorKind::deadline_exceeded, "reading: timed out");
      }
      beat();
    }
  }

  void write(std::string_view text, const Wait&) override {
    const std::lock_guard lock(line_->world.mutex);
    line_->require();
    in_ += text;
    for (auto end = in_.find('\n'); end != std::string::npos; end = in_.find('\n')) {
      const auto request = agent::decode_request(in_.substr(0, end));
      in_.erase(0, end + 1);
      const auto* confirm = std::get_if<agent::ConfirmRequest>(&request.body);
      const bool confirms = confirm != nullptr;
      if (confirms) {
        line_->host.confirmed_by[confirm->profile] = line_->login;
      } else if (const auto* activate = std::get_if<agent::ActivateRequest>(&request.body)) {
        line_->host.activated_by[activate->profile] = line_->login;
      }
      const auto reply =
          line_->world.handle(line_->host, place_, request.body,
                              [this](const agent::Message& message) { say(message); });
      if (confirms && std::exchange(line_->host.loses_confirm_reply, false)) {
        line_->killed = true;
        return;
      }
      const auto ready = line_->host.prepare_ready.find(user_);
      if (std::holds_alternative<agent::PrepareRequest>(request.body) &&
          ready != line_->host.prepare_ready.end()) {
        later_ = {ready->second, agent::Reply{request.id, reply}};
        continue;
      }
      say(agent::Reply{request.id, reply});
    }
  }
  void send_eof(const Wait&) override {}
  std::string stderr_tail() const override { return {}; }
  std::uint64_t stderr_bytes() const override { return 0; }
  ssh::ChannelEnd close(const Wait&) override { return {0, {}, {}, true}; }

private:
  void say(const agent::Message& message) { out_ += agent::encode(message); }
  void say_what_is_ready() {
    if (later_ && later_->first()) {
      say(later_->second);
      later_.reset();
    }
  }
  void beat() {
    const std::lock_guard lock(line_->world.mutex);
    const auto now = BootClock::now();
    if (now - last_beat_ > std::chrono::milliseconds(500)) {
      last_beat_ = now;
      say(agent::Heartbeat{});
    }
  }

  std::shared_ptr<Line> line_;
  std::string user_, place_;
  std::string in_, out_;
  Instant last_beat_ = BootClock::now();
  std::optional<std::pair<std::function<bool()>, agent::Reply>> later_;
};

class FakeTunnel final : public ssh::StoreTunnel {
public:
  explicit FakeTunnel(std::string uri, ssh::ChannelEnd end = {0, {}, {}, true})
      : uri_(std::move(uri)), end_(std::move(end)) {}
  std::string store_uri() const override { return uri_; }
  std::uint64_t bytes_sent() const override { return 1000; }
  std::optional<ssh::ChannelEnd> finish(const Wait&) override { return end_; }

private:
  std::string uri_;
  ssh::ChannelEnd end_;
};

class FakeSession final : public ssh::Session {
public:
  FakeSession(FakeWorld& world, std::string name, FakeHost& host, std::string user,
              std::string login)
      : line_(std::make_shared<Line>(Line{world, host, std::move(name), std::move(user),
                                          std::move(login), host.epoch, host.hushed})) {}
  std::unique_ptr<ssh::Channel> exec(const std::string& command, const Wait&) override {
    const std::lock_guard lock(line_->world.mutex);
    line_->require();
    if (command == "uname -sm") {
      return std::make_unique<TextChannel>(line_, line_->host.uname + "\n");
    }
    if (command.find("nix-store --add") != std::string::npos) {
      return std::make_unique<TextChannel>(line_, line_->host.built_agent);
    }
    if (command.starts_with("sh -c ")) {
      return std::make_unique<TextChannel>(line_, line_->host.nix_settings);
    }
    if (command.starts_with("sudo ")) {
      return make_sudo_channel(
          line_->host.sudo, command,
          std::make_unique<AgentChannel>(line_, split_white_space(command).at(2)));
    }
    return std::make_unique<AgentChannel>(line_, line_->user);
  }
  std::unique_ptr<ssh::StoreTunnel> open_store_tunnel(const ssh::StoreService& service,
                                                      const Wait& wait) override {
    if (auto& errors = line_->host.store_errors; !errors.empty()) {
      const ssh::ChannelEnd end{1, {}, errors.front(), true};
      errors.erase(errors.begin());
      return std::make_unique<FakeTunnel>("closed:", end);
    }
    if (!service.begin) {
      return std::make_unique<FakeTunnel>("fake:" + line_->name + "|" + line_->login);
    }
    // `sudo -u USER … AGENT store`: whoever is let in works as USER.
    const auto channel = make_sudo_channel(
        line_->host.sudo, service.command,
        std::make_unique<TextChannel>(line_, std::string(agent::store_greeting) + "\n"));
    try {
      service.begin(*channel, wait);
    } catch (const Error&) { // as the real one: Nix sees a socket that is closed
      return std::make_unique<FakeTunnel>("closed:");
    }
    return std::make_unique<FakeTunnel>("fake:" + line_->name + "|" +
                                        split_white_space(service.command).at(2));
  }
  std::string path() const override { return "direct"; }

private:
  std::shared_ptr<Line> line_;
};

class FakeTransport final : public ssh::Transport {
public:
  explicit FakeTransport(FakeWorld& world) : world_(world) {}
  std::unique_ptr<ssh::Session> connect(const ssh::HostAddress& address, ssh::Purpose purpose,
                                        const ssh::RetrySink&, const Wait& wait) override {
    const std::lock_guard lock(world_.mutex);
    wait.cancel.throw_if_cancelled();
    if (wait.expired()) {
      throw Error(ErrorKind::unreachable, address.hostname + ": no time is left");
    }
    const auto& options = address.ssh_opts;
    const auto port = std::find(options.begin(), options.end(), "-p");
    const auto name =
        port == options.end() ? address.hostname : address.hostname + ":" + *std::next(port);
    auto login = address.user;
    for (const auto& option : options) {
      login += " " + option;
    }
    auto& host = world_.hosts.at(name);
    world_.tick(host, [](const agent::Message&) {});
    const bool confirm = purpose == ssh::Purpose::confirm;
    ++(confirm ? host.confirm_connections : host.connections);
    if (confirm && !host.login_exception.empty()) {
      throw std::runtime_error(host.login_exception);
    }
    if (confirm && host.refused_logins > 0) {
      --host.refused_logins;
      throw Error(ErrorKind::unreachable, address.hostname + ": connection refused");
    }
    if (!host.reachable ||
        (confirm && (host.refuses_confirm || host.closed_logins.contains(login)))) {
      throw Error(ErrorKind::unreachable, address.hostname + ": no route to host");
    }
    return std::make_unique<FakeSession>(world_, name, host, address.user, login);
  }

private:
  FakeWorld& world_;
};

} // namespace

std::unique_ptr<ssh::Transport> FakeWorld::transport() {
  return std::make_unique<FakeTransport>(*this);
}

} // namespace belay::fakes
