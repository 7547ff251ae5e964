// SPDX-License-Identifier: Apache-2.0
#include "engine/run/copy_progress.h"

#include "engine/base/thread.h"

#include <utility>

namespace belay::run {

namespace {

constexpr Duration measure_limit = std::chrono::seconds(20);

} // namespace

CopyProgress::CopyProgress(Source source, Tell tell, Duration interval)
    : source_(std::move(source)), tell_(std::move(tell)), interval_(interval),
      thread_(start_thread("watching a copy", [this] {
        try {
          watch();
        } catch (const std::exception&) { // nothing depends on it
        }
      })) {}

CopyProgress::~CopyProgress() {
  stop_.cancel();
  thread_.join();
}

void CopyProgress::take(const nix::Progress& said) {
  const std::scoped_lock lock(mutex_);
  if (said.kind == nix::Progress::Kind::copy_size) {
    size_ = said.number;
  } else if (said.kind == nix::Progress::Kind::copy_count) {
    count_ = said.number;
  } else if (said.kind == nix::Progress::Kind::copying) {
    if (auto path = StorePath::parse(said.text)) {
      named_.insert(std::move(*path));
    }
  }
}

void CopyProgress::watch() {
  const auto stop = stop_.token();
  std::uint64_t told = 0;
  while (wait_readable(-1, Wait::at_most(interval_, stop)) != Ready::cancelled) {
    const std::uint64_t sent = source_.bytes_sent();
    if (sent != told) {
      told = sent;
      tell_({sent, expected()});
    }
  }
}

std::optional<std::uint64_t> CopyProgress::expected() {
  {
    const std::scoped_lock lock(mutex_);
    if (size_ || !count_ || measured_) {
      return size_;
    }
  }
  measured_ = true;
  try {
    const auto size = measure();
    const std::scoped_lock lock(mutex_);
    size_ = size_ ? size_ : size;
    return size_;
  } catch (const std::exception&) { // nothing depends on it
    return std::nullopt;
  }
}

/// nullopt where what was found is not as much as Nix counted.
std::optional<std::uint64_t> CopyProgress::measure() {
  const auto wait = Wait::at_most(measure_limit, stop_.token());
  const auto lacking = source_.missing_paths(wait);
  std::vector<StorePath> missing;
  {
    const std::scoped_lock lock(mutex_);
    std::set<StorePath> all(named_); // after the question: what came over meanwhile is among them
    all.insert(lacking.begin(), lacking.end());
    if (all.size() != *count_) {
      return std::nullopt;
    }
    missing.assign(all.begin(), all.end());
  }
  return source_.archive_bytes(missing, wait);
}

} // namespace belay::run
