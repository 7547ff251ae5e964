# SPDX-License-Identifier: Apache-2.0
"""What is asked for happens, on every host, and nothing else of the runner gets there."""

import os
import pathlib
import re
import time

from fleet import check, world
from fleet.flake import Expression, node, package, profile, to_nix
from fleet.fleet import each_nix, hosts
from fleet.runner import FOLDER, deploy, start

TIMED = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]{12}Z (debug|info |warn |error) ")


@each_nix
@hosts(4)
def four_hosts(fleet):
    first = check.ended(deploy({host.name: node(host, package("one")) for host in fleet}), 0)
    for host in fleet:
        check.runs(host, 1, "one", "one")
        check.equal(first.node(host.name)["changed"], True, "changed")

    check.ended(deploy({host.name: node(host, package("two")) for host in fleet}), 0)
    for host in fleet:
        check.runs(host, 2, "two", "one two")
        check.quiet(host)


@hosts(1)
def unchanged_closure_is_activated_again(fleet):
    [web] = fleet
    nodes = {"web-1": node(web, package("one"))}
    check.ended(deploy(nodes), 0)
    again = check.ended(deploy(nodes), 0)
    check.runs(web, 1, "one", "one one")
    check.equal(again.node("web-1")["changed"], False, "changed")


@hosts(2)
def only_the_targets(fleet):
    nodes = {host.name: node(host, package("one")) for host in fleet}
    check.ended(deploy(nodes, ".#web-2"), 0)
    check.untouched(fleet["web-1"])
    check.runs(fleet["web-2"], 1, "one", "one")


@each_nix
@hosts(1)
def several_profiles_in_order(fleet):
    [web] = fleet
    nodes = {"web-1": node(web, profilesOrder=["system", "base"], profiles={
        "base": profile(package("base")), "system": profile(package("system"))})}
    check.ended(deploy(nodes), 0)
    check.runs(web, 1, "system", "system base")
    check.equal(check.installed(web, "base"), (1, "base"), "profile base")


@each_nix
@hosts(1)
def nix_settings_stay_at_home(fleet):
    """Forwarded to the target's daemon, the hook would run there and the missing key break it."""
    [web] = fleet
    hook, key = world.HOME / "hook", world.HOME / "signing-key"
    key.write_text(world.run("nix", "key", "generate-secret", "--key-name", "home").strip())
    hook.write_text("#!/bin/sh\ntouch ~/hook-ran-at-home\n")
    hook.chmod(0o755)
    web.output("sh", "-c", f"mkdir -p {hook.parent} && printf '#!/bin/sh\ntouch /hook-ran' >{hook}"
               f" && chmod +x {hook}")
    settings = pathlib.Path(os.environ["NIX_CONF_DIR"], "nix.conf")
    settings.write_text(f"{settings.read_text()}post-build-hook = {hook}\n"
                        f"secret-key-files = {key}\n")
    check.ended(deploy({"web-1": node(web, package("one"))}), 0)
    check.runs(web, 1, "one", "one")
    assert (world.HOME / "hook-ran-at-home").exists(), "the hook did not even run at home"
    assert not web.path("/hook-ran").exists(), "the runner's post-build-hook ran on the target"


SLOW_DAEMON = """#!/usr/bin/perl
open(my $daemon, '|-', '/usr/bin/nix-daemon', @ARGV) or die;
while (my $length = sysread(STDIN, my $chunk, 65536)) {
  syswrite($daemon, $chunk);
  select(undef, undef, undef, $length / 5e6);
}
close($daemon);
"""


def with_slow_daemon(host):
    """It takes 5 MB a second from whoever connects."""
    program = host.path("/root/slow/nix-daemon")
    program.parent.mkdir()
    program.write_text(SLOW_DAEMON)
    program.chmod(0o755)
    with open(host.path("/etc/ssh/sshd_config"), "a", encoding="utf-8") as config:
        config.write(f"SetEnv PATH=/root/slow:{world.SYSTEM_PATH}\n")
    host.reboot()


def with_bytes(version, *megabytes):
    """A closure that refers to one of random bytes of each of these sizes."""
    made = " ".join(f"(bytes {size})" for size in megabytes)
    mark = to_nix(f"echo {version} >>/var/lib/activated\n: ")
    return Expression(f"package {to_nix('app-' + version)} ({mark} + toString [ {made} ]) null")


@each_nix
@hosts(1)
def progress_of_a_copy(fleet):
    """Against what the target misses, where some of the closure is there already."""
    [web] = fleet
    with_slow_daemon(web)
    check.ended(deploy({"web-1": node(web, with_bytes("one", 1))}), 0)
    run = check.ended(deploy({"web-1": node(web, with_bytes("two", 1, 15))}), 0)
    check.runs(web, 2, "two", "one two")
    new = [path for name in ["15-mb", "app-two"]
           for path in pathlib.Path("/nix/store").glob(f"*-{name}")]
    sizes = world.run("nix-store", "--query", "--size", *map(str, new)).split()
    check.equal(len(sizes), 2, "new paths")
    told = [event["data"] for event in run.select("stage.progress", stage="copy")]
    print([(data["bytes"], data["bytes_expected"]) for data in told], flush=True)
    check.equal(told[-1]["bytes_expected"], sum(map(int, sizes)), "bytes_expected")


@hosts(1)
def talkative_script(fleet):
    """One line of 3 MB, a flood of short ones, bytes that are no text: none of it holds a deploy up."""
    [web] = fleet
    talk = ("head -c 3000000 /dev/zero | tr '\\0' x\nyes 'a line' | head -n 30000\n"
            "printf '\\033[31mred\\000\\377\\n' >&2\n")
    run = check.ended(deploy({"web-1": node(web, package("one", talk))}), 0)
    check.runs(web, 1, "one", "one")
    assert max(len(line) for line in (run.out / "events.jsonl").open("rb")) <= 65536, "line length"


@hosts(1)
def logs_for_people(fleet):
    """--log-dir and -d: each line that is said, whole and with its time, in a file and on stderr."""
    [web] = fleet
    script = "echo said by the script\nprintf 'no\\033[31m colour\\n'\n"
    run = check.ended(deploy({"web-1": node(web, package("one", script))}, "--log-dir", "logs/deep",
                             "-d"), 0)
    [log] = (FOLDER / "flake/logs/deep").iterdir()
    check.equal(log.name, f"belay-{run.events()[0]['run']}.log", "name of the log")
    check.equal(run.select("run.finished")[0]["data"]["artifacts"]["log"], f"logs/deep/{log.name}",
                "artifacts")
    lines = log.read_text(encoding="utf-8").splitlines()
    assert all(TIMED.match(line) for line in lines), lines
    spoken = [event["msg"] for event in run.events() if event["type"] != "log"]
    check.equal([text for text in spoken if not any(line.endswith(text) for line in lines)], [],
                "not in the log")
    console = run.console().splitlines()
    for text in [" web-1/system activate: activation| said by the script",
                 " web-1/system activate: activation| no colour"]:
        assert any(line.endswith(text) for line in lines), lines
        assert any(line.endswith(text) and TIMED.match(line) for line in console), run.console()


LAST = 14_000_000 # numbers up to here, a line each, are 115 MB
AGENTS_PEAK = """for p in /proc/[0-9]*; do
  ! grep -qa belay-agent $p/cmdline || grep VmHWM $p/status >>/var/lib/peaks
done
du --block-size=1K /nix/var/nix/belay/*/0/output >/var/lib/output-size
"""
ONES_PEAK = 32 * 1024 # KiB; twice what it takes


def peak_of(pid):
    """KiB of memory that a process had at most so far; 0 where it has ended."""
    try:
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return max([0, *(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))])


@hosts(1)
def hundred_megabytes_of_output(fleet):
    """The script is not held up, memory and disk stay small on both sides, and the end is kept."""
    [web] = fleet
    run = start({"web-1": node(web, package("bad", f"seq {LAST}\n{AGENTS_PEAK}exit 4\n"))})
    runner = 0
    while run.process.poll() is None:
        runner = max(runner, peak_of(run.process.pid))
        time.sleep(0.01)
    check.ended(run.wait(), 11)
    agents = [int(line.split()[1]) for line in web.read("/var/lib/peaks").splitlines()]
    disk = int(web.read("/var/lib/output-size").split()[0])
    print(f"peaks in KiB: runner {runner}, agents {agents}; on disk {disk}", flush=True)
    assert 0 < runner < ONES_PEAK and len(agents) >= 2 and max(agents) < ONES_PEAK, "memory"
    assert disk < 16 * 1024, "what is kept of it on the host"
    text = "\n".join(event["data"]["text"] for event in run.select("log", stream="activation"))
    assert " of output are not shown]" in text, "that something was left out"
    end = "\n".join(map(str, range(LAST - 7000, LAST + 1)))
    assert end in text, "the last 64 KiB"
    body = (run.out / "junit.xml").read_text()
    assert end[-48 * 1024:] in body, "the same in JUnit"
