// SPDX-License-Identifier: Apache-2.0
#include "engine/base/file.h"
#include "engine/base/text.h"
#include "tests/catch.h"
#include "tests/unit/agent/cut_stories.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

// The agent dies at every point there is, and whatever comes next - `recover`, a runner that asks,
// the next deploy - finds a host that it can bring to a good end. The points are those that the
// program itself lists: one that no story passes is a failure.

using namespace belay::agent::test;

namespace {

/// They need a systemd that is asked to start the keeper (tests/fleet/scenarios/cuts.py).
const std::set<std::string> need_systemd = {"before-arm-boot-unit", "half-arm-boot-unit",
                                            "written-arm-boot-unit", "named-arm-boot-unit",
                                            "after-arm-boot-unit"};

std::vector<std::string> fault_points() {
  belay::PosixProcessRunner processes;
  const auto result = processes.run({.argv = {faulty_agent_program(), "--list-fault-points"}}, {});
  auto points = belay::split(std::string(belay::trim(result.out)), '\n');
  REQUIRE(points.size() > 100);
  return points;
}

/// Under a sanitizer three would take minutes.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool each_with_one = true;
#else
constexpr bool each_with_one = false;
#endif

using Job = std::function<void(const CutHost&)>;

/// Some hosts at once; what went wrong.
std::vector<std::string> work_off(std::deque<std::pair<std::string, Job>> jobs) {
  constexpr int hosts = 4; // each one mostly waits for its agents
  std::mutex mutex;
  std::vector<std::string> problems;
  const auto work = [&] {
    const CutHost host;
    for (;;) {
      std::unique_lock lock(mutex);
      if (jobs.empty()) {
        return;
      }
      const auto [name, job] = std::move(jobs.front());
      jobs.pop_front();
      lock.unlock();
      try {
        job(host);
      } catch (const std::exception& error) {
        lock.lock();
        problems.push_back(name + ": " + error.what());
      }
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < hosts; ++i) {
    threads.emplace_back(work);
  }
  for (auto& thread : threads) {
    thread.join();
  }
  return problems;
}

void none(const std::vector<std::string>& problems) {
  for (const auto& problem : problems) {
    FAIL_CHECK(problem);
  }
}

/// Which story to cut for each point.
std::map<std::string, std::string> find_stories() {
  std::map<std::string, std::set<std::string>> passed;
  std::mutex mutex;
  std::deque<std::pair<std::string, Job>> jobs;
  for (const auto& story : stories()) {
    jobs.emplace_back(story, [&, story](const CutHost& host) {
      host.begin(before(story));
      host.play(story);
      host.check(outcomes(story));
      const std::lock_guard lock(mutex);
      passed[story] = host.passed();
    });
  }
  none(work_off(std::move(jobs)));
  std::map<std::string, std::string> found;
  for (const auto& story : stories()) {
    for (const auto& point : passed[story]) {
      found.emplace(point, story);
    }
  }
  return found;
}

struct Next {
  std::string name;
  std::function<void(const CutHost&)> happens;
};

const std::vector<Next>& what_comes_next() {
  static const std::vector<Next> all = {
      {"recover", [](const CutHost& host) { host.recover(); }},
      {"a query", [](const CutHost& host) { host.query(); }},
      {"the next deploy", nullptr},
  };
  return all;
}

void cut(const CutHost& host, const std::string& story, const std::string& point,
         const Next& next) {
  host.begin(before(story));
  host.play_until(story, point);
  if (next.happens) {
    next.happens(host);
    host.check(outcomes(story));
  }
  std::filesystem::remove(host.world().path("home/broken"));
  host.deploy_next();
  host.check({"next"});
}

} // namespace

TEST_CASE("cuts: wherever the agent dies, all that may come next works") {
  if (!NixWorld::has_nix()) {
    WARN("there is no nix-store here: left out");
    return;
  }
  const auto stories = find_stories();
  std::deque<std::pair<std::string, Job>> jobs;
  std::size_t points_met = 0;
  const auto points = fault_points();
  for (const auto& [point, story] : stories) {
    INFO(story << " passes " << point << ", which is not listed");
    CHECK(std::find(points.begin(), points.end(), point) != points.end());
  }
  for (const auto& point : points) {
    const auto story = stories.find(point);
    if (story == stories.end()) {
      INFO(point << " is passed by no story");
      CHECK(need_systemd.contains(point));
      continue;
    }
    ++points_met;
    for (std::size_t i = 0; i < what_comes_next().size(); ++i) {
      if (each_with_one && i != points_met % what_comes_next().size()) {
        continue;
      }
      const auto& next = what_comes_next()[i];
      const auto name = story->second + ", cut off " + point + ", then " + next.name;
      jobs.emplace_back(name, [&next, point, story = story->second](const CutHost& host) {
        cut(host, story, point, next);
      });
    }
  }
  CHECK(jobs.size() > (each_with_one ? 100 : 300));
  none(work_off(std::move(jobs)));
}

TEST_CASE("cuts: what targets get has no fault points") {
  constexpr std::size_t enough = 64 * 1024 * 1024;
  const auto ours = belay::read_file(agent_program(), enough);
  const auto faulty = belay::read_file(faulty_agent_program(), enough);
  for (const auto* trace :
       {"BELAY_FAULT", "--list-fault-points", "disarm-boot-unit", "within-", "written-"}) {
    INFO(trace);
    CHECK(faulty.find(trace) != std::string::npos); // or the look would find nothing ever
    CHECK(ours.find(trace) == std::string::npos);
  }
  CHECK(NixWorld().run({agent_program(), "--list-fault-points"}).status == 2);
}
