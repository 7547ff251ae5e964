// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/boot_unit.h"
#include "engine/agent/containment.h"
#include "engine/agent/detach.h"

#include "engine/base/file.h"
#include "tests/catch.h"

#include <fstream>
#include <unistd.h>

using namespace belay::agent;
namespace fs = std::filesystem;

namespace {

/// Programs that are not here: remembers what was asked of them.
class RecordedProcesses final : public belay::ProcessRunner {
public:
  belay::ProcessResult run(const belay::ProcessSpec& spec, const belay::Wait&) override {
    calls.push_back(spec.argv);
    belay::ProcessResult result;
    result.status = status;
    result.out = out;
    return result;
  }
  std::vector<std::vector<std::string>> calls;
  int status = 0;
  std::string out;
};

const TransactionFiles files("/nix/var/nix/belay", "0123456789abcdef");

} // namespace

TEST_CASE("detach: the transient unit") {
  const auto words = systemd_command({"/nix/store/x-belay-agent", files}, Detachment::systemd);
  CHECK(words == std::vector<std::string>{
                     "systemd-run",
                     "--quiet",
                     "--unit=belay-0123456789abcdef",
                     "--service-type=exec",
                     "--collect",
                     "-p",
                     "Restart=on-failure",
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
  const auto words = systemd_command({"/agent", odd}, Detachment::systemd_user);
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
  processes.status = 1;
  CHECK(detacher.start({"/bin/true", here}) == Detachment::session);
}

TEST_CASE("containment: a scope around the script, and what is in it") {
  belay::TemporaryDirectory cgroups("/tmp/belay-cgroups-");
  RecordedProcesses processes;
  ScopeContainment scope(processes,
                         {.user_manager = false, .folder = "/TX", .cgroups = cgroups.path()});
  CHECK(scope.wrap("TX-act-0-ab", {"/gen/deploy-rs-activate"}) ==
        std::vector<std::string>{"systemd-run", "--scope", "--quiet", "--collect",
                                 "--unit=belay-TX-act-0-ab.scope", "--", "/bin/sh", "-c",
                                 ": > \"$0\" && exec \"$@\"", "/TX/TX-act-0-ab",
                                 "/gen/deploy-rs-activate"});
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

TEST_CASE("boot unit: armed and disarmed") {
  belay::TemporaryDirectory folder("/tmp/belay-unit-");
  const BootUnit unit(folder.path() / "system.attached");
  REQUIRE(unit.arm("/nix/store/x-belay-agent", "/nix/var/nix/belay"));
  REQUIRE(unit.arm("/nix/store/x-belay-agent", "/nix/var/nix/belay"));
  const auto link = folder.path() / "system.attached/multi-user.target.wants/belay-recover.service";
  const auto text = belay::read_file(link, 4096); // through the link
  CHECK(text.find("ExecStart=\"/nix/store/x-belay-agent\" recover --state-directory "
                  "\"/nix/var/nix/belay\"\n") != std::string::npos);
  CHECK(text.find("After=local-fs.target\n") != std::string::npos);
  CHECK(text.find("network") == std::string::npos);
  unit.disarm();
  CHECK_FALSE(fs::exists(fs::symlink_status(link)));
  CHECK_FALSE(BootUnit("/proc/no/such/place").arm("/a", "/b"));
}

TEST_CASE("boot unit: odd folders are quoted") {
  const auto text = BootUnit::text("/a", "/x \"y\"\\ 100% $HOME");
  CHECK(text.find("\"/x \\\"y\\\"\\\\ 100%% $$HOME\"") != std::string::npos);
}
