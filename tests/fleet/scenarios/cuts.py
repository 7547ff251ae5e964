# SPDX-License-Identifier: Apache-2.0
"""The agent dies at its fault points, under a real runner and a real init; unit_cuts has all of them."""

import os
import pathlib
import platform
import shutil

from fleet import check, world
from fleet.flake import node, package
from fleet.fleet import hosts
from fleet.runner import binary, deploy, start, wait_until
from fleet.systemd_host import SystemdHost

FAULT = "/run/belay-fault"


def with_faulty_agent():
    """From here on deploys bring the agent that has fault points."""
    folder = world.FLEET / "agents" / f"{platform.machine()}-linux"
    folder.mkdir(parents=True)
    faulty = pathlib.Path(binary()).parent / "belay-agent-faults"
    if not faulty.exists():
        world.leave_out("belay-agent-faults is not built")
    shutil.copy(faulty, folder / "belay-agent")
    os.environ["BELAY_AGENT_DIR"] = str(folder.parent)


def arm(host, what, point):
    host.output("sh", "-c", f"echo {what} {point} >{FAULT}")


def fired(host):
    return host.run("test", "-e", FAULT)[0] != 0


def settled(host, *allowed):
    """The profile is one of these versions, and its activation ran last."""
    wait_until(lambda: check.installed(host)[1] in allowed
               and check.activated(host)[-1] == check.installed(host)[1],
               f"{allowed}, but {check.installed(host)} and {check.activated(host)}", 30)


def power_cuts(web, script, ended_as, points):
    """At each of them the agent stops, the runner dies and the power goes; then it is the host's."""
    with_faulty_agent()
    for number, point in enumerate(points):
        good, new = f"good{number}", f"new{number}"
        check.ended(deploy({"web-1": node(web, package(good))}), 0)
        arm(web, "stop", point)
        run = start({"web-1": node(web, package(new, script), confirmTimeout=20)})
        wait_until(lambda: fired(web) or run.process.poll() is not None, f"cut off {point}")
        assert fired(web), f"{point}: no agent came there\n{run.console()}"
        run.kill().wait()
        web.reboot()
        print(f"{point}: {check.installed(web)} {check.activated(web)[-2:]}", flush=True)
        settled(web, {"old": good, "new": new}[ended_as])
        web.nothing_left()
    check.ended(deploy({"web-1": node(web, package("last"))}), 0)
    settled(web, "last")


@hosts(1, SystemdHost)
def power_cut_before_it_is_confirmed(fleet):
    power_cuts(fleet["web-1"], "", "old", [
        "before-arm-boot-unit", "after-arm-boot-unit", "after-write-record",
        "after-journal-switching", "within-journal-switched",
        "before-start-script", "after-await-script",
        "after-journal-awaiting-confirm"])


@hosts(1, SystemdHost)
def power_cut_after_it_is_decided(fleet):
    power_cuts(fleet["web-1"], "", "new", [
        "after-decide-confirmed", "before-journal-confirmed", "after-journal-confirmed",
        "before-journal-closed", "before-disarm-boot-unit"])


@hosts(1, SystemdHost)
def power_cut_on_the_way_back(fleet):
    power_cuts(fleet["web-1"], "exit 4\n", "old", [
        "after-journal-rolling-back", "after-switch-generation", "within-journal-reactivating",
        "before-journal-rolled-back"])


def verdicts(fleet, make_node, points):
    """The agent is killed at each point; what the runner then says is what the host is."""
    [web] = fleet
    with_faulty_agent()
    check.ended(deploy({"web-1": node(web, package("good"))}), 0)
    good = "good"
    for number, point in enumerate(points):
        arm(web, "kill", point)
        new = f"new{number}"
        run = deploy({"web-1": make_node(web, new)})
        check.ended(run, run.exit_code)
        assert fired(web), f"{point}: no agent came there\n{run.console()}"
        print(f"{point}: exit {run.exit_code}, {run.node('web-1')['outcome']}", flush=True)
        # 13: it had not begun, so nothing was changed.
        assert run.exit_code in (0, 11, 13), f"{point}: exit {run.exit_code}\n{run.console()}"
        good = new if run.exit_code == 0 else good
        settled(web, good)
    check.ended(deploy({"web-1": node(web, package("last"))}), 0)
    settled(web, "last")


@hosts(1)
def verdict_of_a_deploy_that_goes_well(fleet):
    verdicts(fleet, lambda web, version: node(web, package(version)), [
        "before-write-record", "after-write-record", "after-start-keeper", "after-drop-request",
        "before-journal-switching", "after-set-profile", "within-journal-script-starting",
        "after-start-script", "after-journal-script-ended", "before-journal-awaiting-confirm",
        "after-journal-awaiting-confirm", "before-decide-confirmed", "after-decide-confirmed",
        "before-journal-confirmed", "after-journal-finished", "before-journal-closed"])


@hosts(1)
def verdict_of_a_deploy_that_fails(fleet):
    verdicts(fleet, lambda web, version: node(web, package(version, "exit 4\n")), [
        "after-journal-script-ended", "after-journal-rolling-back", "after-switch-generation",
        "within-journal-reactivating", "before-start-script", "before-journal-rolled-back",
        "after-journal-rolled-back"])
