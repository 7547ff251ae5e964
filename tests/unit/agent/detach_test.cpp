// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/boot_unit.h"
#include "engine/agent/containment.h"
#include "engine/agent/detach.h"

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "tests/catch.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <unistd.h>

using namespace belay::agent;
namespace fs = std::filesystem;

namespace {

/// Programs that are not here: remembers what was asked of them.
class RecordedProcesses final : public belay::ProcessRunner {
public:
  belay::ProcessResult run(const belay::ProcessSpec& spec, const belay::Wait&) override {
    calls.push_back(spec.argv);
    for (const auto& [name, value] : spec.environment) {
      environment[name] = value.value_or("");
    }
    if (missing) {
      throw belay::Error(belay::ErrorKind::system, "cannot start systemd-run");
    }
    belay::ProcessResult result;
    result.status = refuse_first-- > 0 ? 1 : status;
    result.out = out;
    return result;
  }
  std::vector<std::vector<std::string>> calls;
  std::map<std::string, std::string> environment;
  int status = 0;
  int refuse_first = 0; ///< how many of the next ones fail
  bool missing = false;
  std::string out;
};

const TransactionFiles files("/nix/var/nix/belay", "0123456789abcdef");

} // namespace

TEST_CASE("detach: the transient unit") {
  const auto words =
      systemd_command({"/nix/store/x-belay-agent", files}, Detachment::systemd, keeper_unit(files));
  CHECK(words == std::vector<std::string>{
                     "systemd-run",
                     "--quiet",
                     "--unit=belay-0123456789abcdef",
                     "--service-type=exec",
                     "--collect",
                     "-p",
                     "Restart=on-failure",
                     "-p",
                     "RestartForceExitStatus=SIGTERM SIGINT",
                     "-p",
                     "RestartSec=1",
                     "-p",
                     "StartLimitIntervalSec=0",
                     "-p",
                     "OOMPolicy=continue",
                     "-p",
                     "KillMode=control-group",
                     "-p",
                     "StandardInput=null",
                     "-p",
                     "StandardOutput=append:/nix/var/nix/belay/0123456789abcdef/keep.log",
                     "-p",
                     "StandardError=append:/nix/var/nix/belay/0123456789abcdef/keep.log",
                     "--",
                     "/nix/store/x-belay-agent",
                     "keep",
                     "--state-directory",
                     "/nix/var/nix/belay",
                     "0123456789abcdef"});
}

TEST_CASE("detach: a lingering user's unit, and a folder with a percent sign") {
  const TransactionFiles odd("/home/100%/belay", "0123456789abcdef");
  const auto words = systemd_command({"/agent", odd}, Detachment::systemd_user, keeper_unit(odd));
  CHECK(words.at(1) == "--user");
  CHECK(std::find(words.begin(), words.end(),
                  "StandardOutput=append:/home/100%%/belay/0123456789abcdef/keep.log") !=
        words.end());
}

TEST_CASE("detach: systemd takes it, or a session does") {
  belay::TemporaryDirectory folder("/tmp/belay-detach-");
  const TransactionFiles here(folder.path(), "0123456789abcdef");
  fs::create_directories(here.folder());
  RecordedProcesses processes;
  RealDetacher detacher(Detachment::systemd, {{"PATH", "/usr/bin:/bin"}}, processes);
  CHECK(detacher.start({"/bin/true", here}) == Detachment::systemd);
  REQUIRE(processes.calls.size() == 1);
  CHECK(processes.calls[0][0] == "systemd-run");
  SECTION("the name is taken: another one") {
    processes.refuse_first = 1;
    CHECK(detacher.start({"/bin/true", here}) == Detachment::systemd);
    REQUIRE(processes.calls.size() == 3);
    CHECK(processes.calls[1].at(2) == "--unit=belay-0123456789abcdef");
    CHECK(processes.calls[2].at(2).starts_with("--unit=belay-0123456789abcdef-"));
  }
  SECTION("it takes none") {
    processes.status = 1;
    CHECK(detacher.start({"/bin/true", here}) == Detachment::session);
    CHECK(processes.calls.size() == 3);
  }
  SECTION("it is not to be found") {
    processes.missing = true;
    CHECK(detacher.start({"/bin/true", here}) == Detachment::session);
    CHECK(processes.calls.size() == 2);
  }
}

TEST_CASE("containment: a scope around the script, and what the manager says is in it") {
  belay::TemporaryDirectory cgroups("/tmp/belay-cgroups-");
  std::ofstream(cgroups.path() / "cgroup.procs") << "1\n";
  RecordedProcesses processes;
  ScopeContainment scope(processes,
                         {.user_manager = false, .folder = "/TX", .cgroups = cgroups.path()});
  const auto words = scope.wrap("TX-act-0-ab", {"/gen/deploy-rs-activate"});
  REQUIRE(words.size() == 11);
  CHECK(std::vector(words.begin(), words.begin() + 8) ==
        std::vector<std::string>{"systemd-run", "--scope", "--quiet", "--collect",
                                 "--unit=belay-TX-act-0-ab.scope", "--", "/bin/sh", "-c"});
  CHECK(words[9] == "/TX/TX-act-0-ab");
  CHECK(words[10] == "/gen/deploy-rs-activate");
  CHECK(scope.members("TX-act-0-ab", true).empty()); // no such unit
  processes.out = "/system.slice/belay-TX-act-0-ab.scope\n";
  CHECK(scope.members("TX-act-0-ab", true).empty()); // it is gone
  const auto group = cgroups.path() / "system.slice/belay-TX-act-0-ab.scope";
  fs::create_directories(group);
  std::ofstream(group / "cgroup.procs") << "4242\n4243\n" << getpid() << "\n";
  CHECK(scope.members("TX-act-0-ab", true) == std::vector<pid_t>{4242, 4243});
  CHECK(processes.calls.back() == std::vector<std::string>{"systemctl", "show",
                                                           "--property=ControlGroup", "--value",
                                                           "belay-TX-act-0-ab.scope"});
}

TEST_CASE("containment: who could not look has not seen that it is empty") {
  belay::TemporaryDirectory folder("/tmp/belay-cgroups-");
  RecordedProcesses processes;
  const auto cgroups = folder.path() / "cgroup";
  fs::create_directories(cgroups);
  ScopeContainment scope(processes,
                         {.user_manager = false, .folder = folder.path(), .cgroups = cgroups});
  SECTION("the manager does not answer") {
    processes.status = 1;
  }
  SECTION("it speaks of another group") {
    processes.out = "/\n";
  }
  SECTION("there are no cgroups to be seen") {
    processes.out = "/system.slice/belay-TX-act-0-ab.scope\n";
  }
  CHECK_THROWS_AS(scope.members("TX-act-0-ab", true), belay::Error);
}

TEST_CASE("containment: a user's manager is found without a login") {
  belay::TemporaryDirectory folder("/tmp/belay-cgroups-");
  RecordedProcesses processes;
  ScopeContainment scope(processes,
                         {.user_manager = true, .folder = folder.path(), .cgroups = folder.path()});
  scope.members("TX-act-0-ab", true);
  CHECK(processes.calls.back().at(1) == "--user");
  CHECK(processes.environment["XDG_RUNTIME_DIR"] == "/run/user/" + std::to_string(geteuid()));
}

TEST_CASE("containment: the group that the script wrote down needs no manager") {
  belay::TemporaryDirectory folder("/tmp/belay-cgroups-");
  const std::string unit = "belay-TX-act-0-ab.scope";
  const auto lines = GENERATE_COPY(values<std::string>(
      {"0::/system.slice/" + unit + "\n",                               // version 2
       "4:cpu:/\n1:name=systemd:/system.slice/" + unit + "\n0::/\n"})); // version 1
  const auto root = GENERATE(values<std::string>({"", "unified", "systemd"}));
  std::ofstream(folder.path() / "TX-act-0-ab") << lines;
  const auto group = folder.path() / "cgroup" / root / "system.slice" / unit;
  fs::create_directories(group / "child");
  std::ofstream(folder.path() / "cgroup" / root / "cgroup.procs") << "1\n";
  std::ofstream(group / "cgroup.procs") << "4242\n";
  std::ofstream(group / "child" / "cgroup.procs") << "4243\n";
  RecordedProcesses processes;
  processes.status = 1;
  ScopeContainment scope(
      processes,
      {.user_manager = false, .folder = folder.path(), .cgroups = folder.path() / "cgroup"});
  CHECK(scope.entered("TX-act-0-ab"));
  CHECK(scope.members("TX-act-0-ab", true) == std::vector<pid_t>{4242, 4243});
  fs::remove_all(group);
  CHECK(scope.members("TX-act-0-ab", true).empty());
  CHECK(processes.calls.empty());
}

TEST_CASE("containment: what is begun in a scope writes down its group, then runs") {
  belay::TemporaryDirectory folder("/tmp/belay-cgroups-");
  RecordedProcesses recorded;
  ScopeContainment scope(recorded, {.user_manager = false, .folder = folder.path()});
  auto words = scope.wrap("mark", {"/bin/echo", "a b", "\\n"});
  words.erase(words.begin(), std::find(words.begin(), words.end(), "--") + 1);
  belay::PosixProcessRunner processes;
  const auto result =
      processes.run({.argv = words}, belay::Wait::at_most(std::chrono::seconds(10)));
  CHECK(result.succeeded());
  CHECK(result.out == "a b \\n\n");
  CHECK(belay::read_file(folder.path() / "mark", 1 << 16) ==
        belay::read_file("/proc/self/cgroup", 1 << 16));
  words[3] = "/no/such/folder/mark";
  CHECK_FALSE(processes.run({.argv = words}, belay::Wait::at_most(std::chrono::seconds(10)))
                  .out.starts_with("a b"));
}

TEST_CASE("boot unit: armed and disarmed") {
  belay::TemporaryDirectory folder("/tmp/belay-unit-");
  const BootUnit unit(folder.path() / "system.attached");
  const auto state = folder.path() / "state";
  fs::create_directory(state);
  REQUIRE(unit.arm("/nix/store/w-belay-agent", state));
  REQUIRE(unit.arm("/nix/store/x-belay-agent", state));
  const auto link = folder.path() / "system.attached/multi-user.target.wants/belay-recover.service";
  const auto text = belay::read_file(link, 4096); // through the link
  CHECK(text.find("ExecStart=\"/nix/store/x-belay-agent\" recover --state-directory \"" +
                  state.string() + "\"\n") != std::string::npos);
  CHECK(text.find("After=local-fs.target sysinit.target dbus.socket\n") != std::string::npos);
  CHECK(text.find("network") == std::string::npos);
  CHECK(fs::read_symlink(state / "recover-agent") == "/nix/store/x-belay-agent");
  unit.disarm(folder.path() / "sta"); // another's end
  unit.disarm("/else" / state.relative_path());
  CHECK(fs::exists(link));
  unit.disarm(state);
  CHECK_FALSE(fs::exists(fs::symlink_status(link)));
  CHECK(fs::is_empty(state));
  unit.disarm(state);
}

TEST_CASE("boot unit: what a killed agent left half done goes with the next arming or disarming") {
  belay::TemporaryDirectory folder("/tmp/belay-unit-");
  const auto attached = folder.path() / "system.attached";
  const BootUnit unit(attached);
  const auto state = folder.path() / "state", theirs = folder.path() / "theirs";
  fs::create_directory(state);
  fs::create_directory(attached);
  const auto put = [&](const std::string& name, const std::string& text) {
    std::ofstream(attached / name) << text;
    return attached / name;
  };
  const std::vector<fs::path> stay = {
      put("belay-recover.service.THEIRS", BootUnit::text("/agent", theirs)), // being written
      put("belay-recover.service.EMPTY1", ""),
      put("belay-recover.service.longer-name", BootUnit::text("/agent", state)),
      put("other.service.AbCdEf", BootUnit::text("/agent", state))};
  const auto pointed_to = put("elsewhere", BootUnit::text("/agent", state));
  fs::create_symlink(pointed_to, attached / "belay-recover.service.A-LINK");
  const auto leave = [&] {
    put("belay-recover.service.AbCdEf", BootUnit::text("/agent", state));
    const auto old = put("belay-recover.service.GhIjKl", ""); // torn
    fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours(2));
  };
  const auto swept = [&] {
    return !fs::exists(attached / "belay-recover.service.AbCdEf") &&
           !fs::exists(attached / "belay-recover.service.GhIjKl");
  };
  leave();
  REQUIRE(unit.arm("/nix/store/x-belay-agent", state));
  CHECK(swept());
  leave();
  unit.disarm(state);
  CHECK(swept());
  for (const auto& path : stay) {
    INFO(path);
    CHECK(fs::exists(path));
  }
  CHECK(fs::exists(attached / "belay-recover.service.A-LINK"));
  CHECK_FALSE(fs::exists(attached / "belay-recover.service"));
}

TEST_CASE("boot unit: where /etc cannot be written, the machine's own unit still finds the agent") {
  belay::TemporaryDirectory state("/tmp/belay-unit-");
  const BootUnit unit("/proc/no/such/place");
  CHECK_FALSE(unit.arm("/nix/store/x-belay-agent", state.path()));
  CHECK(fs::read_symlink(state.path() / "recover-agent") == "/nix/store/x-belay-agent");
  unit.disarm(state.path());
  CHECK(fs::is_empty(state.path()));
}

TEST_CASE("boot unit: odd folders are quoted") {
  const auto text = BootUnit::text("/a", "/x \"y\"\\ 100% $HOME");
  CHECK(text.find("\"/x \\\"y\\\"\\\\ 100%% $$HOME\"") != std::string::npos);
}
