// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/deploy_log.h"

#include "engine/agent/earlier.h"
#include "engine/agent/journal.h"
#include "engine/base/file.h"
#include "tests/catch.h"
#include "tests/unit/agent/agent_process.h"

#include <fstream>
#include <sys/stat.h>

using namespace belay::agent;
namespace fs = std::filesystem;

namespace {

struct Case {
  belay::TemporaryDirectory folder{"/tmp/belay-log-"};
  belay::PosixProcessRunner processes;
  belay::SystemClock clock;
  Host host{.state_directory = folder.path(), .processes = processes, .clock = clock};

  /// One that ended two hours ago.
  TransactionFiles ended(const std::string& id, const std::string& run,
                         std::chrono::hours ago = std::chrono::hours(2)) const {
    const TransactionFiles files(folder.path(), id);
    Record record;
    record.transaction = id;
    record.run = run;
    record.since = clock.wall() - ago;
    record.profiles.push_back({.wanted = {.name = "system", .closure = "/nix/store/new"}});
    write_record(files.record(), record);
    fs::create_directories(files.profile(0));
    JournalFile journal(files.journal());
    journal.append({.step = Step::script_ended,
                    .profile = 0,
                    .reason = "activation-failed",
                    .message = "activation exited 4",
                    .exit_status = 4,
                    .time = record.since});
    journal.append({.step = Step::finished, .time = record.since});
    journal.append({.step = Step::closed, .time = record.since});
    return files;
  }
  fs::path logs() const { return folder.path() / "logs"; }
};

std::string id_of(int number) {
  auto digits = std::to_string(number);
  return std::string(16 - digits.size(), '0') + digits;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("deploy log: who, what, when, and what was printed") {
  Case c;
  const auto files = c.ended(id_of(1), "run-7");
  std::ofstream(files.output(0)) << "one\n\x1b]0;title\x07\x1b[31mtwo\x1b[0m\n";
  std::ofstream(files.keeper_log()) << "out of paper\n";
  const auto log = deploy_log(files).value();
  CHECK(has(log, "deploy " + id_of(1) + " of run run-7"));
  CHECK(has(log, "  system is to be /nix/store/new, before none\n"));
  CHECK(
      has(log, "  system: script-ended, exit status 4; activation-failed; activation exited 4\n"));
  CHECK(has(log, "what system printed:\n  | one\n  | two\n"));
  CHECK(has(log, "what the keeper said:\n  | out of paper\n"));
  CHECK_FALSE(has(log, "\x1b"));
  CHECK_FALSE(deploy_log({c.folder.path(), id_of(2)}));
}

TEST_CASE("deploy log: much output is cut, and that is said") {
  Case c;
  const auto files = c.ended(id_of(1), "run-1");
  std::string lines;
  while (lines.size() < 1024 * 1024) {
    lines += "a line of output, number " + std::to_string(lines.size()) + "\n";
  }
  std::ofstream(files.output(0)) << lines << "the last one\n";
  const auto log = deploy_log(files).value();
  CHECK(log.size() < log_output_limit * 5 / 4);
  CHECK(log.size() > log_output_limit);
  CHECK(has(log, "  | [960.0 KiB of output are not shown]\n  | a line of output, number "));
  CHECK(has(log, "  | the last one\n"));
}

TEST_CASE("deploy log: it is bounded, however many profiles and whatever the keeper said") {
  Case c;
  const auto files = c.ended(id_of(1), "run-1");
  auto record = read_record(files.record()).value();
  record.profiles.resize(8, record.profiles.front());
  write_record(files.record(), record);
  for (std::size_t i = 0; i < record.profiles.size(); ++i) {
    fs::create_directories(files.profile(i));
    std::ofstream(files.output(i)) << std::string(log_output_limit, 'x') << "\n";
  }
  std::string said;
  while (said.size() < 1024 * 1024) {
    said += "one more word of the keeper's\n";
  }
  std::ofstream(files.keeper_log()) << said << "its last one\n";
  const auto log = deploy_log(files).value();
  CHECK(log.size() <= deploy_log_limit);
  CHECK(has(log, "  | its last one\n"));
  const auto keeper = log.substr(log.find("what the keeper said:"));
  CHECK(keeper.size() < 16 * 1024);
  CHECK(has(keeper, "of output are not shown]"));
}

TEST_CASE("deploy log: it stays when the folder goes, for the last deploys") {
  Case c;
  for (int i = 1; i <= 23; ++i) {
    c.ended(id_of(i), "run-" + std::to_string(i), std::chrono::hours(200 - i));
  }
  sweep(c.host);
  CHECK(list_transactions(c.folder.path()).empty());
  CHECK(std::distance(fs::directory_iterator(c.logs()), fs::directory_iterator()) ==
        static_cast<std::ptrdiff_t>(kept_logs));
  const auto all = all_deploy_logs(c.folder.path());
  CHECK_FALSE(has(all, "run run-3 "));
  CHECK(all.find("run run-4 ") < all.find("run run-23 "));
  CHECK(has(deploy_log({c.folder.path(), id_of(23)}).value(), "run run-23 "));
  CHECK_FALSE(deploy_log({c.folder.path(), id_of(3)}));
  for (const auto& file : fs::directory_iterator(c.logs())) {
    struct stat facts {};
    REQUIRE(stat(file.path().c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777U) == 0600U);
  }
}

TEST_CASE("deploy log: what a writer left that died is removed by the next one") {
  Case c;
  fs::create_directory(c.logs());
  std::ofstream(c.logs() / "000000000000001-00aa.log.Xa3dEf") << "hal";
  c.ended(id_of(1), "run-1");
  sweep(c.host);
  CHECK(std::distance(fs::directory_iterator(c.logs()), fs::directory_iterator()) == 1);
  CHECK(deploy_log({c.folder.path(), id_of(1)}));
}

TEST_CASE("deploy log: a folder that goes although no log can be kept") {
  Case c;
  c.ended(id_of(1), "run-1");
  std::ofstream(c.logs()) << "in the way";
  sweep(c.host);
  CHECK(list_transactions(c.folder.path()).empty());
}

TEST_CASE("deploy log: in parts that fit a line") {
  const std::string log(100'000, 'x');
  std::string read;
  for (auto part = log_part(log, 0); !part.empty(); part = log_part(log, read.size())) {
    CHECK(part.size() <= 8 * 1024);
    read += part;
  }
  CHECK(read == log);
  CHECK(log_part("one\ntwo", 4) == "two");
  CHECK(log_part("one", 99).empty());
}

TEST_CASE("deploy log: status --log") {
  Case c;
  c.ended(id_of(1), "run-1");
  c.ended(id_of(2), "run-2", std::chrono::hours(1));
  const auto status = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {test::agent_program(), "status", "--log"});
    words.insert(words.end(), {"--state-directory", c.folder.path().string()});
    return c.processes.run({.argv = words}, {});
  };
  const auto all = status({}).out;
  CHECK(all.find("run run-1 ") < all.find("run run-2 "));
  CHECK(has(all, "\n\n"));
  CHECK_FALSE(has(status({id_of(2)}).out, "run-1"));
  CHECK(has(status({id_of(2)}).out, "run run-2 "));
  CHECK(status({id_of(3)}).status == 1);
  CHECK(status({"../x"}).status == 2);
}
