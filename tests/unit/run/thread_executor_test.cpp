// SPDX-License-Identifier: Apache-2.0
#include "engine/run/thread_executor.h"

#include "engine/base/error.h"
#include "tests/catch.h"
#include "tests/thread_limit.h"

#include <atomic>
#include <csignal>
#include <functional>
#include <future>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

namespace belay::run {

namespace {

event::Draft log(const std::string& text) {
  event::LogLine line;
  line.text = text;
  return {std::move(line), {}, event::Level::info, {}};
}

event::Draft fact() {
  return {event::NodeQueued{}, {}, event::Level::info, {}};
}

Step step_of(StepId id, StepKind kind = StepKind::copy) {
  return {id, kind, {0}};
}

StepResult well(const Step& step) {
  return {step.id, {NodeResult{}}, {}};
}

/// Blocks until the token fires.
void await(const CancelToken& token) {
  REQUIRE(wait_readable(token.poll_fd(), Wait::at_most(60s)) == Ready::yes);
}

template <class What> What next(ThreadExecutor& executor) {
  Occurrence occurrence = executor.wait(std::nullopt);
  REQUIRE(std::holds_alternative<What>(occurrence));
  return std::get<What>(std::move(occurrence));
}

} // namespace

TEST_CASE("what a step tells comes before its result, in order") {
  SystemClock clock;
  ThreadExecutor executor(
      [](const Step& step, StepContext& context) {
        context.tell(log("one"));
        context.tell(log("two"));
        return well(step);
      },
      clock);
  executor.start(step_of(7));
  for (const char* text : {"one", "two"}) {
    const auto output = next<StepOutput>(executor);
    CHECK(output.id == 7);
    CHECK(std::get<event::LogLine>(output.draft.payload).text == text);
  }
  CHECK(next<StepResult>(executor).id == 7);
}

TEST_CASE("steps run at once, and threads are used again") {
  SystemClock clock;
  std::mutex mutex;
  std::set<std::thread::id> threads;
  std::atomic<int> inside = 0;
  ThreadExecutor executor(
      [&](const Step& step, StepContext&) {
        {
          const std::scoped_lock lock(mutex);
          threads.insert(std::this_thread::get_id());
        }
        ++inside;
        while (inside.load() < 3) // only three that run at once come out
          std::this_thread::yield();
        return well(step);
      },
      clock);
  for (StepId id = 1; id <= 3; ++id)
    executor.start(step_of(id));
  for (int i = 0; i < 3; ++i)
    next<StepResult>(executor);
  for (StepId id = 4; id <= 20; ++id) {
    executor.start(step_of(id));
    CHECK(next<StepResult>(executor).id == id);
  }
  // A thread may still be on its way back when the next step comes; far fewer than steps all the
  // same.
  CHECK(threads.size() <= 6);
}

TEST_CASE("what a step throws is a result for each of its nodes") {
  SystemClock clock;
  std::function<void()> thrower;
  ThreadExecutor executor(
      [&](const Step& step, StepContext&) -> StepResult {
        thrower();
        return well(step);
      },
      clock);
  SECTION("an Error keeps its kind") {
    thrower = [] { throw Error(ErrorKind::unreachable, "no route"); };
    executor.start({1, StepKind::copy, {3, 5}});
    const auto result = next<StepResult>(executor);
    REQUIRE(result.nodes.size() == 2);
    CHECK(result.nodes[1].node == 5);
    CHECK(result.nodes[1].outcome == event::Outcome::error);
    CHECK(result.nodes[1].reason == "unreachable");
    CHECK(result.nodes[1].message == "no route");
    CHECK_FALSE(result.nodes[1].touched);
  }
  SECTION("a cancelled wait is a cancelled node") {
    thrower = [] { throw Error(ErrorKind::cancelled, "cancelled"); };
    executor.start(step_of(1));
    CHECK(next<StepResult>(executor).nodes.at(0).outcome == event::Outcome::cancelled);
  }
  SECTION("an activation that throws leaves an unknown state, whatever it threw") {
    thrower = [] { throw Error(ErrorKind::cancelled, "cancelled"); };
    executor.start(step_of(1, StepKind::activate));
    const auto result = next<StepResult>(executor);
    CHECK(result.nodes.at(0).outcome == event::Outcome::error);
    CHECK(result.nodes.at(0).reason == "state-unknown");
    CHECK(result.nodes.at(0).rollback == event::Rollback::unknown);
    CHECK(result.nodes.at(0).touched);
  }
  SECTION("any other exception is internal") {
    thrower = [] { throw std::runtime_error("bad"); };
    executor.start(step_of(1));
    CHECK(next<StepResult>(executor).nodes.at(0).reason == "internal");
  }
}

TEST_CASE("a step for which there is no thread is told as not begun, and the next one is done") {
  SystemClock clock;
  ThreadExecutor executor([](const Step& step, StepContext&) { return well(step); }, clock);
  {
    const tests::ThreadLimit none(0);
    executor.start(step_of(1, StepKind::activate));
  }
  const auto undone = next<StepResult>(executor);
  CHECK(undone.nodes.at(0).outcome == event::Outcome::error);
  CHECK(undone.nodes.at(0).reason == "system");
  CHECK(undone.nodes.at(0).message.starts_with("no thread can be had for a node's work ("));
  executor.start(step_of(2, StepKind::activate));
  CHECK(next<StepResult>(executor).nodes.at(0).outcome == event::Outcome::success);
}

TEST_CASE("work stops first, abandon later") {
  SystemClock clock;
  ThreadExecutor executor(
      [](const Step& step, StepContext& context) {
        await(step.kind == StepKind::activate ? context.abandon() : context.work());
        return well(step);
      },
      clock);
  executor.start(step_of(1, StepKind::activate));
  executor.start(step_of(2, StepKind::copy));
  executor.stop(Stop::work);
  CHECK(next<StepResult>(executor).id == 2);
  executor.stop(Stop::work);
  executor.stop(Stop::abandon);
  CHECK(next<StepResult>(executor).id == 1);
}

TEST_CASE("signals and webhook feedback come through the same door") {
  SystemClock clock;
  ThreadExecutor executor([](const Step& step, StepContext&) { return well(step); }, clock);
  std::thread other([&] {
    executor.tell(fact());
    executor.interrupt(SIGTERM);
    for (int i = 0; i < 100; ++i)
      executor.interrupt(SIGINT);
  });
  other.join();
  CHECK(next<StepOutput>(executor).id == 0);
  CHECK(next<Interrupt>(executor).signal == SIGTERM);
  int more = 0;
  while (std::holds_alternative<Interrupt>(executor.wait(clock.now())))
    ++more;
  CHECK(more >= 1);
  CHECK(more < 10);
}

TEST_CASE("a wait ends at its time, and at once where that has passed") {
  SystemClock clock;
  ThreadExecutor executor([](const Step& step, StepContext&) { return well(step); }, clock);
  CHECK(std::holds_alternative<Timer>(executor.wait(clock.now() - 1h)));
  const Instant soon = clock.now() + 30ms;
  CHECK(std::holds_alternative<Timer>(executor.wait(soon)));
  CHECK(clock.now() >= soon);
}

TEST_CASE("nobody reads: a build waits, an activation goes on and its loss is told") {
  SystemClock clock;
  constexpr std::size_t lines = OccurrenceQueue::log_room + 1000;
  std::atomic<std::size_t> told = 0;
  ThreadExecutor executor(
      [&](const Step& step, StepContext& context) {
        for (std::size_t i = 0; i < lines; ++i) {
          context.tell(log("line"));
          ++told;
        }
        context.tell(fact());
        return well(step);
      },
      clock);
  const auto drain = [&] {
    std::vector<event::Draft> drafts;
    while (true) {
      Occurrence occurrence = executor.wait(clock.now() + 10s);
      if (auto* output = std::get_if<StepOutput>(&occurrence))
        drafts.push_back(std::move(output->draft));
      else
        return drafts; // the result; a notice of loss comes before it, since the queue was full
    }
  };
  SECTION("build") {
    executor.start(step_of(1, StepKind::build));
    while (told.load() < OccurrenceQueue::log_room)
      std::this_thread::yield();
    CHECK(told.load() == OccurrenceQueue::log_room);
    CHECK(drain().size() == lines + 1); // every line and the fact
  }
  SECTION("activate") {
    executor.start(step_of(1, StepKind::activate));
    while (told.load() < lines)
      std::this_thread::yield();
    const auto drafts = drain();
    CHECK(drafts.size() >= OccurrenceQueue::log_room + 1);
    CHECK(drafts.size() < lines);
    const bool has_fact = std::any_of(drafts.begin(), drafts.end(), [](const event::Draft& draft) {
      return std::holds_alternative<event::NodeQueued>(draft.payload);
    });
    CHECK(has_fact);
    Occurrence notice = executor.wait(clock.now());
    REQUIRE(std::holds_alternative<StepOutput>(notice));
    const auto text = std::get<event::LogLine>(std::get<StepOutput>(notice).draft.payload).text;
    CHECK(text.find(std::to_string(lines - OccurrenceQueue::log_room)) == 0);
  }
}

TEST_CASE("destruction stops what runs, also one who waits for room") {
  SystemClock clock;
  std::atomic<int> ended = 0;
  std::promise<void> began;
  {
    ThreadExecutor executor(
        [&](const Step& step, StepContext& context) {
          if (step.id == 1) {
            await(context.abandon());
          } else {
            began.set_value();
            for (std::size_t i = 0; i < 2 * OccurrenceQueue::log_room; ++i)
              context.tell(log("line"));
          }
          ++ended;
          return well(step);
        },
        clock);
    executor.start(step_of(1, StepKind::activate));
    executor.start(step_of(2, StepKind::build));
    began.get_future().wait();
  }
  CHECK(ended == 2);
}

} // namespace belay::run
