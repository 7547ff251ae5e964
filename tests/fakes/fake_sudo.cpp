// SPDX-License-Identifier: Apache-2.0
#include "tests/fakes/fake_sudo.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

namespace belay::fakes {

namespace {

/// What follows `-S -p`; empty without.
std::string prompt_of(const std::string& command) {
  const std::string option = " -S -p ";
  const auto at = command.find(option);
  return at == std::string::npos ? "" : split_white_space(command.substr(at)).at(2);
}

class SudoChannel final : public ssh::Channel {
public:
  SudoChannel(FakeSudo& sudo, const std::string& command, std::unique_ptr<ssh::Channel> agent)
      : sudo_(sudo), agent_(std::move(agent)), prompt_(prompt_of(command)), stderr_(sudo.lecture) {
    if (!sudo_.refusal.empty()) {
      leave(sudo_.refusal);
    } else if (!sudo_.asks) {
      state_ = State::agent;
    } else if (prompt_.empty()) {
      leave("sudo: a password is required\n");
    } else {
      ask();
    }
  }

  std::optional<std::size_t> read_or_stderr(char* buffer, std::size_t size, std::uint64_t seen,
                                            const Wait& wait) override {
    if (state_ == State::agent) {
      return agent_->read_or_stderr(buffer, size, seen, wait);
    }
    if (state_ == State::ended) {
      return 0;
    }
    if (stderr_.size() > seen) {
      return std::nullopt;
    }
    wait_readable(-1, wait);
    wait.cancel.throw_if_cancelled();
    throw Error(ErrorKind::deadline_exceeded, "reading: timed out");
  }

  void write(std::string_view text, const Wait& wait) override {
    if (state_ == State::agent) {
      return agent_->write(text, wait);
    }
    sudo_.attempts.emplace_back(text);
    if (text == sudo_.password + "\n" && BootClock::now() >= sudo_.wrong_until) {
      state_ = State::agent;
    } else if (sudo_.attempts.size() >= 3) {
      leave("sudo: 3 incorrect password attempts\n");
    } else {
      stderr_ += "Sorry, try again.\n";
      ask();
    }
  }
  void send_eof(const Wait&) override {}
  std::string stderr_tail() const override { return std::string(tail(stderr_, 4096)); }
  std::uint64_t stderr_bytes() const override { return stderr_.size(); }
  ssh::ChannelEnd close(const Wait&) override {
    return {state_ == State::ended ? 1 : 0, {}, stderr_tail(), true};
  }

private:
  enum class State { asking, agent, ended };

  void ask() {
    ++sudo_.asked;
    stderr_ += sudo_.asks_in_own_words ? "Verification code: " : prompt_;
  }
  void leave(const std::string& last_words) {
    stderr_ += last_words;
    state_ = State::ended;
  }

  FakeSudo& sudo_;
  std::unique_ptr<ssh::Channel> agent_;
  std::string prompt_;
  std::string stderr_;
  State state_ = State::asking;
};

} // namespace

std::unique_ptr<ssh::Channel> make_sudo_channel(FakeSudo& sudo, const std::string& command,
                                                std::unique_ptr<ssh::Channel> agent) {
  return std::make_unique<SudoChannel>(sudo, command, std::move(agent));
}

} // namespace belay::fakes
