// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/run/copy_progress.h"
#include "tests/catch.h"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <stdexcept>
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
  std::vector<StorePath> missing = {path('a'), path('b'), path('c')}; ///< when that is asked
  std::uint64_t archive = 1000;                                       ///< bytes of each path
  std::function<void()> on_measure = [] {};

  static StorePath path(char name) {
    return *StorePath::parse("/nix/store/" + std::string(32, name) + "-x");
  }
  void say(nix::Progress::Kind kind, std::uint64_t number) {
    progress_.take({.kind = kind, .derivation = {}, .text = {}, .number = number});
  }
  void name(char which) {
    progress_.take({.kind = nix::Progress::Kind::copying,
                    .derivation = {},
                    .text = path(which).string(),
                    .number = 0});
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
  CopyProgress progress_{
      {[this] {
         const std::scoped_lock lock(mutex_);
         ++looks;
         changed_.notify_all();
         return sent.load();
       },
       [this](const Wait&) {
         ++measured;
         on_measure();
         return missing;
       },
       [this](const std::vector<StorePath>& paths, const Wait&) { return archive * paths.size(); }},
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

TEST_CASE("where Nix only counts, what the target lacks is asked for, once") {
  Copy copy;
  copy.say(Kind::copy_count, 3);
  CHECK(copy.send(10).bytes_expected == 3000);
  copy.send(20);
  CHECK(copy.measured == 1);
}

TEST_CASE("what has come over before the target was asked was missing too") {
  Copy copy;
  copy.missing = {Copy::path('b'), Copy::path('c')};
  copy.name('a'); // on the target by now
  copy.name('b'); // on its way
  copy.say(Kind::copy_count, 3);
  CHECK(copy.send(10).bytes_expected == 3000);
}

TEST_CASE("where what is missing is not as much as Nix counted, or unknown, no size is claimed") {
  Copy copy;
  switch (GENERATE(0, 1, 2)) {
  case 1:
    copy.on_measure = [] { throw Error(ErrorKind::system, "no nix-store"); };
    break;
  case 2:
    copy.on_measure = [] { throw std::runtime_error("no folder for temporary files"); };
    break;
  default:
    break;
  }
  copy.say(Kind::copy_count, 2);
  CHECK_FALSE(copy.send(10).bytes_expected);
  CHECK_FALSE(copy.send(20).bytes_expected);
  CHECK(copy.measured == 1);
}
