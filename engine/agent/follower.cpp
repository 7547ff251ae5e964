// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/follower.h"

#include "engine/base/error.h"

namespace belay::agent {

namespace {

/// Escaped, each byte may become six: so much text always fits a line of the protocol.
constexpr std::size_t output_message_limit = 8 * 1024;

/// Lines together in few messages: a script that chatters must not keep the news of its end
/// waiting.
std::vector<std::string> join_lines(const std::vector<std::string>& lines) {
  std::vector<std::string> texts;
  for (const auto& line : lines) {
    if (texts.empty() || texts.back().size() + 1 + line.size() > output_message_limit) {
      texts.push_back(line);
    } else {
      texts.back() += "\n" + line;
    }
  }
  return texts;
}

std::string essence(const ProfileStatus& status) {
  return std::string(name_of(status.state)) + "|" + status.reason + "|" + status.message;
}

} // namespace

Follower::Follower(TransactionFiles files, const Clock& clock, Options options)
    : files_(std::move(files)), clock_(clock), options_(options) {}

bool Follower::journal_changed() {
  std::error_code missing;
  const auto size = std::filesystem::file_size(files_.journal(), missing);
  if (missing || size == journal_size_) {
    return false;
  }
  journal_size_ = size;
  return true;
}

void Follower::take_output(const Snapshot& snapshot, std::vector<Message>& messages) {
  while (outputs_.size() < snapshot.profiles.size()) {
    outputs_.emplace_back(files_.output(outputs_.size()),
                          ScriptOutputReader::Options{.from_start = options_.output_from_start});
  }
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const bool ended =
        is_final(snapshot.profiles[i].state) || snapshot.view.profiles[i].script_ended;
    for (auto& text : join_lines(outputs_[i].read_lines(ended))) {
      messages.emplace_back(ScriptOutput{files_.id(), snapshot.profiles[i].name, std::move(text)});
    }
  }
}

std::vector<Message> Follower::poll() {
  std::vector<Message> messages;
  const bool changed = journal_changed();
  if (changed || !snapshot_) {
    snapshot_ = take_snapshot(files_, clock_);
  }
  if (!snapshot_) { // swept away
    closed_ = true;
    return messages;
  }
  // The states were read before the output: what led to them is in it.
  take_output(*snapshot_, messages);
  for (const auto& profile : snapshot_->profiles) {
    auto now = essence(profile);
    auto& told = told_[profile.name];
    const bool news = told != now && !(told.empty() && profile.state == State::prepared);
    told = std::move(now);
    if (news) {
      messages.emplace_back(StatusChanged{files_.id(), profile});
    }
  }
  closed_ = snapshot_->view.closed;
  return messages;
}

} // namespace belay::agent
