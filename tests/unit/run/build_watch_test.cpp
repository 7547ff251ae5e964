// SPDX-License-Identifier: Apache-2.0
#include "engine/run/build_watch.h"
#include "tests/catch.h"

#include <condition_variable>

using namespace belay;
using namespace belay::run;
using namespace std::chrono_literals;

namespace {

using Kind = nix::Progress::Kind;

/// Looked at every millisecond.
class Watched {
public:
  void say(Kind kind, const std::string& name) {
    watch_.take({.kind = kind,
                 .derivation = "/nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-" + name + ".drv",
                 .text = {}});
  }
  /// Waits for a text that begins so, and was thought of after this call.
  std::string next(const std::string& start) {
    std::unique_lock lock(mutex_);
    const auto from = count_ + 1; // the one that may be under way is older
    REQUIRE(
        changed_.wait_for(lock, 20s, [&] { return count_ > from && last_.starts_with(start); }));
    return last_;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string last_;
  int count_ = 0;
  BuildWatch watch_{[this](const std::string& text) {
                      const std::scoped_lock lock(mutex_);
                      last_ = text;
                      ++count_;
                      changed_.notify_all();
                    },
                    1ms};
};

} // namespace

TEST_CASE("build watch: what is being built, for how long, the longest first") {
  Watched watched;
  watched.next("nothing is being built now, after ");
  watched.say(Kind::build_started, "one");
  watched.say(Kind::build_started, "two");
  CHECK(watched.next("building one for ").find(", two for ") != std::string::npos);
  watched.say(Kind::build_stopped, "one"); // its verdict comes when all have ended
  watched.next("building two for ");
  watched.say(Kind::build_finished, "two");
  watched.next("nothing is being built now, after ");
  for (int i = 0; i < 7; ++i) {
    watched.say(Kind::build_started, "b" + std::to_string(i));
  }
  CHECK(watched.next("building b0 for ").ends_with(" and 3 more"));
}
