// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/run/copy_progress.h"
#include "tests/catch.h"

#include <atomic>
#include <condition_variable>
#include <vector>

using namespace belay;
using namespace belay::run;
using namespace std::chrono_literals;

namespace {

/// A copy of which the test says how far it is, looked at every millisecond.
class Copy {
public:
  std::atomic<std::uint64_t> sent = 0;
  std::atomic<int> looks = 0, measured = 0;
  nix::ClosureSize closure{3, 3000};
  bool measuring_fails = false;

  void say(nix::Progress::Kind kind, std::uint64_t number) {
    progress_.take({.kind = kind, .derivation = {}, .text = {}, .number = number});
  }
  /// Lets so much go over the wire and waits until that was told.
  event::StageProgress send(std::uint64_t bytes) {
    sent = bytes;
    std::unique_lock lock(mutex_);
    REQUIRE(changed_.wait_for(lock, 20s,
                              [&] { return !told_.empty() && told_.back().bytes == bytes; }));
    return told_.back();
  }
  /// Waits until the thread has looked twice more, which is once after whatever was before.
  void wait_for_looks() {
    const int before = looks;
    std::unique_lock lock(mutex_);
    REQUIRE(changed_.wait_for(lock, 20s, [&] { return looks > before + 2; }));
  }
  std::size_t told() {
    const std::scoped_lock lock(mutex_);
    return told_.size();
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<event::StageProgress> told_;
  CopyProgress progress_{{[this] {
                            const std::scoped_lock lock(mutex_);
                            ++looks;
                            changed_.notify_all();
                            return sent.load();
                          },
                          [this](const Wait&) {
                            ++measured;
                            if (measuring_fails)
                              throw Error(ErrorKind::system, "no nix-store");
                            return closure;
                          }},
                         [this](const event::StageProgress& progress) {
                           const std::scoped_lock lock(mutex_);
                           told_.push_back(progress);
                           changed_.notify_all();
                         },
                         1ms};
};

using Kind = nix::Progress::Kind;

} // namespace

TEST_CASE("a copy tells what has moved, once, and nothing while it stands") {
  Copy copy;
  copy.wait_for_looks();
  CHECK(copy.told() == 0);
  CHECK_FALSE(copy.send(10).bytes_expected);
  copy.send(20);
  const auto told = copy.told();
  copy.wait_for_looks();
  CHECK(copy.told() == told);
}

TEST_CASE("what Nix expects is what is told, and later what it expects then") {
  Copy copy;
  copy.say(Kind::copy_count, 3);
  copy.say(Kind::copy_size, 500);
  CHECK(copy.send(10).bytes_expected == 500);
  copy.say(Kind::copy_size, 900);
  CHECK(copy.send(20).bytes_expected == 900);
  CHECK(copy.measured == 0);
}

TEST_CASE("where Nix only counts, a target that misses everything gets the closure's size") {
  Copy copy;
  copy.say(Kind::copy_count, 3);
  CHECK(copy.send(10).bytes_expected == 3000);
  copy.send(20);
  CHECK(copy.measured == 1);
}

TEST_CASE("where some of the closure is there already, or nobody knows, no size is claimed") {
  Copy copy;
  copy.measuring_fails = GENERATE(false, true);
  copy.say(Kind::copy_count, 2);
  CHECK_FALSE(copy.send(10).bytes_expected);
  CHECK_FALSE(copy.send(20).bytes_expected);
  CHECK(copy.measured == 1);
}
