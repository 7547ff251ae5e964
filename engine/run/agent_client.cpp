// SPDX-License-Identifier: Apache-2.0
#include "engine/run/agent_client.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <array>

namespace belay::run {

AgentClient::AgentClient(ssh::Session& session, const std::string& command, const Wait& wait)
    : channel_(session.exec(command, wait)) {
  await_hello(command, wait);
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
    const auto count = channel_->read(chunk.data(), chunk.size(), wait);
    if (count == 0) {
      return std::nullopt;
    }
    buffer_.append(chunk.data(), count);
  }
}

void AgentClient::await_hello(const std::string& command, const Wait& wait) {
  std::string noise;
  while (auto line = read_line(wait)) {
    if (agent::looks_like_hello(*line)) {
      const auto message = agent::decode_message(*line);
      const auto* hello = std::get_if<agent::Hello>(&message);
      if (hello == nullptr) {
        throw Error(ErrorKind::protocol, "the agent's first line is no greeting");
      }
      if (hello->protocol != agent::protocol_version) {
        throw Error(ErrorKind::protocol,
                    "the agent speaks protocol " + std::to_string(hello->protocol) +
                        ", this belay speaks " + std::to_string(agent::protocol_version));
      }
      hello_ = *hello;
      return;
    }
    noise += *line + "\n";
    if (noise.size() > agent::line_limit) {
      throw Error(ErrorKind::protocol,
                  "the target's shell printed more than 64 KiB before the agent's greeting");
    }
  }
  const auto end = channel_->close(wait);
  const auto printed = one_line(tail(noise, 1000));
  throw Error(ErrorKind::agent_missing, "the agent did not start: '" + command + "' " +
                                            end.describe() +
                                            (printed.empty() ? "" : "; it printed: " + printed));
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

namespace {

bool is_user_name(std::string_view user) {
  constexpr std::string_view first =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
  const std::string rest = std::string(first) + ".-";
  if (user.ends_with('$')) {
    user.remove_suffix(1);
  }
  return !user.empty() && first.find(user[0]) != std::string_view::npos &&
         user.find_first_not_of(rest) == std::string_view::npos;
}

} // namespace

std::string serve_command(const std::string& sudo, const std::string& user,
                          const std::string& agent_program) {
  std::string command;
  if (!user.empty()) {
    if (!is_user_name(user)) {
      throw Error(ErrorKind::invalid_plan, "\"" + one_line(user) + "\" is no user name");
    }
    for (const auto& word : split_white_space(sudo)) {
      command += shell_quote(word) + " ";
    }
    command += shell_quote(user) + " ";
  }
  return command + shell_quote(agent_program) + " serve";
}

} // namespace belay::run
