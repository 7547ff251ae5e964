// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/agent/cut_host.h"

#include "engine/agent/transaction_files.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "tests/unit/agent/cut_stories.h"

#include <atomic>
#include <csignal>
#include <fstream>
#include <thread>

namespace belay::agent::test {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds patience{60};
constexpr std::chrono::milliseconds pause{8}; // each look reads all of /proc

[[noreturn]] void fail(const std::string& what) {
  throw Error(ErrorKind::internal, what);
}

std::vector<std::string> lines_of(const fs::path& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    lines.push_back(line);
  }
  return lines;
}

/// What each generation's scripts do with the log of activations, and how they end.
std::string script(const std::string& name, const std::string& end) {
  return "test \"$DRY_ACTIVATE$BOOT\" = 10 || echo " + name + " >>$HOME/log\n" + end;
}

} // namespace

CutHost::CutHost() {
  signal(SIGPIPE, SIG_IGN); // whom we talk to will be killed
  const std::map<std::string, std::string> ends = {
      {"old", "test ! -e $HOME/broken"},     {"new", ""},  {"failing", "exit 4"},
      {"breaking", ">$HOME/broken; exit 4"}, {"next", ""}, {"theirs", ""},
      {"slow", "echo begun; sleep 300"}};
  for (const auto& [name, end] : ends) {
    closures_[name] = world_.generation(name, script(name, end), script(name, end));
  }
}

void CutHost::begin(Before before) const {
  for (const auto& path : {world_.state_directory(), world_.path("home"), world_.path("trace"),
                           world_.path("state/profiles")}) {
    fs::remove_all(path);
  }
  fs::create_directory(world_.path("home"));
  fs::create_directory(world_.path("state/profiles"));
  if (before == Before::old_generation) {
    world_.run({"nix-env", "--profile", profile(), "--set", closure("old")});
  } else if (before == Before::link_into_store) {
    fs::create_symlink(closure("old"), profile());
  }
  std::ofstream(world_.path("home/log")) << "old\n";
}

void CutHost::play(const std::string& story) const {
  play_story(story, *this);
  wait_until_quiet();
}

void CutHost::play_until(const std::string& story, const std::string& point) const {
  std::ofstream(world_.path("fault")) << "stop " << point;
  std::atomic<bool> over = false;
  std::thread reaper([&] {
    while (!over && !is_cut()) {
      std::this_thread::sleep_for(pause);
    }
    if (is_cut()) {
      end_agents();
    }
  });
  std::string problem;
  try {
    play(story);
  } catch (const Error& error) {
    problem = error.message();
  }
  over = true;
  reaper.join();
  if (!is_cut()) {
    fs::remove(world_.path("fault"));
    fail("no agent came there. " + problem);
  }
}

bool CutHost::is_cut() const {
  return !fs::exists(world_.path("fault"));
}

std::set<std::string> CutHost::passed() const {
  const auto lines = lines_of(world_.path("trace"));
  return {lines.begin(), lines.end()};
}

std::vector<pid_t> CutHost::agents() const {
  std::vector<pid_t> found;
  for (const auto pid : world_.processes()) {
    std::error_code gone;
    if (fs::read_symlink("/proc/" + std::to_string(pid) + "/exe", gone) == faulty_agent_program()) {
      found.push_back(pid);
    }
  }
  return found;
}

void CutHost::end_agents() const {
  for (auto left = agents(); !left.empty(); left = agents()) {
    for (const auto pid : left) {
      kill(pid, SIGKILL);
    }
  }
}

void CutHost::wait_until_quiet() const {
  const auto wait = Wait::at_most(patience);
  while (!world_.processes().empty()) {
    if (wait.expired()) {
      fail("something runs on");
    }
    std::this_thread::sleep_for(pause);
  }
}

void CutHost::recover() const {
  const auto result = world_.run({faulty_agent_program(), "recover"});
  if (!result.succeeded()) {
    fail("recover " + result.describe() + ": " + result.err);
  }
}

void CutHost::query() const {
  for (const auto& id : list_transactions(world_.state_directory())) {
    query_transaction(*this, id);
  }
}

void CutHost::expect(const std::string& name) const {
  std::ofstream(world_.path("home/expected"), std::ios::app) << name << "\n";
}

void CutHost::deploy_next() const {
  fs::remove(world_.path("home/expected"));
  play("next");
  check_logs();
}

std::string CutHost::current() const {
  const auto path = world_.system();
  for (const auto& [name, closure] : closures_) {
    if (closure == path) {
      return name;
    }
  }
  return path;
}

std::string CutHost::last_activated() const {
  return lines_of(world_.path("home/log")).back();
}

void CutHost::check(const std::set<std::string>& allowed) const {
  wait_until_quiet();
  const auto now = current();
  if (!allowed.contains(now)) {
    fail("the profile is " + (now.empty() ? "gone" : now));
  }
  if (const auto expected = lines_of(world_.path("home/expected"));
      !expected.empty() && expected.back() != now) {
    fail("the profile is " + now + ", and " + expected.back() + " was confirmed");
  }
  if (!now.empty() && now != "theirs" && last_activated() != now) { // theirs was set by hand
    fail("the profile is " + now + ", but what was activated last is " + last_activated());
  }
  const fs::path first(profile() + "-1-link");
  if (fs::is_symlink(first) && !fs::exists(first)) {
    fail("a generation leads nowhere");
  }
  check_transactions();
}

/// Of a log that was cut off while it was written nothing stays: nobody would ever remove it.
void CutHost::check_logs() const {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(world_.state_directory() / "logs", none)) {
    if (entry.path().extension() != ".log") {
      fail("a piece of a log is left: " + entry.path().string());
    }
  }
}

void CutHost::check_transactions() const {
  const auto status = world_.run({faulty_agent_program(), "status", "--json"}).out;
  for (const auto* bad : {"\"open\":true", "\"kept\":true", "\"error\":"}) {
    if (status.find(bad) != std::string::npos) {
      fail("status: " + status);
    }
  }
  for (const auto& id : list_transactions(world_.state_directory())) {
    if (is_locked(TransactionFiles(world_.state_directory(), id).lock())) {
      fail("a lock is held");
    }
  }
}

} // namespace belay::agent::test
