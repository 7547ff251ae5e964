// SPDX-License-Identifier: Apache-2.0
#include "engine/run/agent_client.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <array>

namespace belay::run {

namespace {

Error late_start(const std::string& command, const std::string& errors, const std::string& out) {
  const auto said = one_line(trim(tail(errors, 1000))), printed = one_line(trim(tail(out, 1000)));
  return {ErrorKind::deadline_exceeded, "the agent did not greet in time: '" + command +
                                            "' is still running" +
                                            (said.empty() ? "" : "; it says: " + said) +
                                            (printed.empty() ? "" : "; it printed: " + printed)};
}

} // namespace

AgentClient::AgentClient(ssh::Session& session, const AgentStart& start, const Wait& wait)
    : prompt_(start.password) {
  const auto command = serve_command(start, prompt_.marker());
  channel_ = session.exec(command, wait);
  try {
    if (!await_hello(wait)) {
      throw start_failure(start, {command, channel_->close(wait), noise_, prompt_.answered()});
    }
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::deadline_exceeded) {
      throw;
    }
    throw late_start(command, channel_->stderr_tail(), noise_ + buffer_);
  }
}

/// The next line without its line feed; nullopt at the end of the stream.
std::optional<std::string> AgentClient::read_line(const Wait& wait) {
  for (;;) {
    if (const auto end = buffer_.find('\n'); end != std::string::npos) {
      auto line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    if (buffer_.size() > agent::line_limit) {
      throw Error(ErrorKind::protocol, "the agent sent a line of more than 64 KiB");
    }
    std::array<char, 16384> chunk{};
    const auto count = prompt_.read(*channel_, chunk.data(), chunk.size(), wait);
    if (count == 0) {
      return std::nullopt;
    }
    buffer_.append(chunk.data(), count);
  }
}

/// False where the command ended without one.
bool AgentClient::await_hello(const Wait& wait) {
  while (const auto line = read_line(wait)) {
    if (agent::looks_like_hello(*line)) {
      take_hello(*line);
      return true;
    }
    noise_ += *line + "\n";
    if (noise_.size() > agent::line_limit) {
      throw Error(ErrorKind::protocol,
                  "the target's shell printed more than 64 KiB before the agent's greeting");
    }
  }
  return false;
}

void AgentClient::take_hello(const std::string& line) {
  const auto message = agent::decode_message(line);
  const auto* hello = std::get_if<agent::Hello>(&message);
  if (hello == nullptr) {
    throw Error(ErrorKind::protocol, "the agent's first line is no greeting");
  }
  if (hello->protocol != agent::protocol_version) {
    throw Error(ErrorKind::protocol, "the agent speaks protocol " +
                                         std::to_string(hello->protocol) + ", this belay speaks " +
                                         std::to_string(agent::protocol_version));
  }
  hello_ = *hello;
  prompt_ = SudoPrompt(nullptr); // whatever looks like a question from now on is none of sudo's
}

agent::Message AgentClient::next(const Wait& wait) {
  const auto line = [&]() -> std::optional<std::string> {
    const auto patience = wait.within(silence_limit);
    try {
      return read_line(patience);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::deadline_exceeded && !wait.expired()) {
        throw Error(ErrorKind::unreachable, "the agent has been silent for " +
                                                format_duration(silence_limit) +
                                                ": the connection counts as lost");
      }
      throw;
    }
  }();
  if (!line) {
    throw Error(ErrorKind::unreachable, "the connection to the agent ended");
  }
  return agent::decode_message(*line);
}

agent::ReplyBody AgentClient::call(agent::RequestBody body, const Wait& wait) {
  const agent::Request request{++last_id_, std::move(body)};
  try {
    channel_->write(agent::encode(request), wait.within(silence_limit));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::deadline_exceeded && !wait.expired()) {
      throw Error(ErrorKind::unreachable, "the agent takes no more requests");
    }
    throw;
  }
  last_request_ = BootClock::now();
  for (;;) {
    const auto message = next(wait);
    if (const auto* reply = std::get_if<agent::Reply>(&message)) {
      if (reply->id == request.id) {
        return reply->body;
      }
      if (reply->id > request.id) {
        throw Error(ErrorKind::protocol, "the agent answered a request that was never made");
      }
      continue; // the late answer to a request that was given up
    }
    if (listener_) {
      listener_(message);
    }
  }
}

void AgentClient::pump(const Wait& wait) {
  const auto message = next(wait);
  if (listener_ && !std::holds_alternative<agent::Reply>(message)) {
    listener_(message);
  }
}

} // namespace belay::run
