// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "reporters/reporter.h"
#include "tests/catch.h"
#include "tests/unit/reporters/sample_events.h"

using namespace belay;
using namespace belay::reporters;

namespace {

struct Probe final : Reporter {
  explicit Probe(std::string the_name, int& the_calls, int the_limit)
      : label(std::move(the_name)), calls(the_calls), limit(the_limit) {}
  std::string name() const override { return label; }
  void report(const event::Event&, const event::RunState& state) override {
    REQUIRE(state.find("web-1") != nullptr);
    if (++calls > limit)
      throw Error(ErrorKind::system, "disk full");
  }
  void finish(Instant) override { ++calls; }
  std::string label;
  int& calls;
  int limit;
};

} // namespace

TEST_CASE("a reporter that throws is switched off, said once, and disturbs nobody") {
  int good = 0, bad = 0;
  std::vector<std::string> complaints;
  FanOut fan_out([&](const std::string& message) { complaints.push_back(message); });
  fan_out.add(std::make_unique<Probe>("bad", bad, 1));
  fan_out.add(std::make_unique<Probe>("good", good, 100));
  const auto event = test::sample(event::NodeQueued{}, {"web-1", "", {}, 0});
  for (int i = 0; i < 4; ++i)
    fan_out.on_event(event);
  fan_out.finish(BootClock::now());
  CHECK(good == 5);
  CHECK(bad == 2);
  CHECK(complaints == std::vector<std::string>{"reporter bad was switched off: disk full"});
  CHECK(fan_out.failed());
}
