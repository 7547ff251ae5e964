// SPDX-License-Identifier: Apache-2.0
#include "engine/run/copy_progress.h"

#include "engine/base/error.h"

#include <utility>

namespace belay::run {

namespace {

constexpr Duration measure_limit = std::chrono::seconds(20);

} // namespace

CopyProgress::CopyProgress(Source source, Tell tell, Duration interval)
    : source_(std::move(source)), tell_(std::move(tell)), interval_(interval),
      thread_([this] { watch(); }) {}

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
  std::unique_lock lock(mutex_);
  if (size_ || !count_ || measured_) {
    return size_;
  }
  const auto missing = *count_;
  lock.unlock();
  measured_ = true;
  try {
    const auto closure = source_.measure_closure(Wait::at_most(measure_limit, stop_.token()));
    lock.lock();
    if (closure.paths == missing && !size_) {
      size_ = closure.bytes;
    }
    return size_;
  } catch (const Error&) { // nothing depends on it
    return std::nullopt;
  }
}

} // namespace belay::run
