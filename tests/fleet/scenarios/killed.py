# SPDX-License-Identifier: Apache-2.0
"""Whatever dies in the danger window - runner, keeper, the whole host - the host decides alone."""

import signal

from fleet import check
from fleet.flake import node, package
from fleet.fleet import hosts
from fleet.runner import deploy, start, wait_until

CLOSE_DOOR = "kill $(cat /run/sshd.pid)\nwhile [ -e /run/sshd.pid ]; do sleep 0.05; done\n"
OPEN_DOOR = "test -e /run/sshd.pid || /usr/sbin/sshd\n"
SLOW = "sleep 3\necho slow-ended >>/var/lib/activated\n"


@hosts(1)
def runner_between_activation_and_confirm(fleet):
    """Nobody can log in any more, so the runner cannot confirm before it is killed."""
    [web] = fleet
    check.ended(deploy({"web-1": node(web, package("good", OPEN_DOOR))}), 0)
    run = start({"web-1": node(web, package("bad", CLOSE_DOOR), confirmTimeout=3)})
    run.wait_for("stage.finished", node="web-1", stage="activate", outcome="success")
    run.kill().wait()
    check.runs(web, 2, "bad", "good bad")
    wait_until(lambda: check.activated(web) == ["good", "bad", "good"], "the host rolls back")
    wait_until(lambda: check.installed(web) == (1, "good"), "generation 1 is back")
    wait_until(lambda: web.run("test", "-e", "/run/sshd.pid")[0] == 0, "sshd is back")
    check.reachable(web)
    assert not run.select("run.finished"), "a killed run has no run.finished"
    check.quiet(web, seconds=90) # its keeper waits a minute for somebody who asks
    check.ended(deploy({"web-1": node(web, package("better"))}), 0)
    check.runs(web, 2, "better", "good bad good better")


def kills_while_the_script_runs(web, choose):
    check.ended(deploy({"web-1": node(web, package("good"))}), 0)
    run = start({"web-1": node(web, package("slow", SLOW))})
    wait_until(lambda: "slow" in check.activated(web), "the script runs")
    keepers = sorted(pid for pid, arguments in web.processes().items()
                     if "belay-agent keep" in arguments)
    web.output("kill", "-KILL", *choose(keepers))
    check.rolled_back(check.ended(run.wait(), 11), web, "activation", 2, 1)
    check.equal(check.installed(web), (1, "good"), "profile")
    check.equal(check.activated(web)[-1], "good", "last activation")
    check.quiet(web)


@hosts(1)
def keeper_during_the_script(fleet):
    """The process that owns the transaction; the one above it starts another."""
    kills_while_the_script_runs(fleet["web-1"], lambda keepers: keepers[-1:])


@hosts(1)
def every_keeper_during_the_script(fleet):
    """With nobody left that would start another, whoever asks next takes over."""
    kills_while_the_script_runs(fleet["web-1"], lambda keepers: keepers)


@hosts(1)
def everything_on_the_host(fleet):
    """A power cut while the script runs; at boot the host runs what the agent would have armed."""
    [web] = fleet
    check.ended(deploy({"web-1": node(web, package("good"))}), 0)
    run = start({"web-1": node(web, package("slow", SLOW))})
    wait_until(lambda: "slow" in check.activated(web), "the script runs")
    web.reboot()
    [agent] = web.path("/nix/store").glob("*-belay-agent")
    web.output(f"/nix/store/{agent.name}", "recover")
    check.runs(web, 1, "good", "good slow good")
    check.ended(run.wait(), 11)
    check.runs(web, 1, "good", "good slow good")


@hosts(1)
def everything_and_the_runner(fleet):
    """Nobody is left who knows, and nothing runs at boot: the next deploy finds it and undoes it."""
    [web] = fleet
    check.ended(deploy({"web-1": node(web, package("good"))}), 0)
    run = start({"web-1": node(web, package("slow", SLOW))})
    wait_until(lambda: "slow" in check.activated(web), "the script runs")
    web.halt()
    run.kill().wait()
    web.boot()
    web.wait_until_up()
    check.equal(check.installed(web), (2, "slow"), "profile after the power cut")
    next_run = check.ended(deploy({"web-1": node(web, package("better"))}), 0)
    check.equal(next_run.select("lock.waiting"), [], "a dead holder's lock is free")
    [earlier] = next_run.select("earlier.resolved", node="web-1", profile="system")
    check.equal((earlier["data"]["earlier_run"], earlier["data"]["state"],
                 earlier["data"]["reason"]),
                (run.events()[0]["run"], "rolled-back", "interrupted"), "what it found")
    check.runs(web, 2, "better", "good slow good better")


@hosts(2)
def terminated_in_mid_run(fleet):
    """What activates is left to its target, which undoes it; the other node never starts."""
    check.ended(deploy({host.name: node(host, package("good")) for host in fleet}), 0)
    run = start({"web-1": node(fleet["web-1"], package("slow", "sleep 30\n"), activationTimeout=6),
                 "web-2": node(fleet["web-2"], package("better"))},
                "--grace", "3", plan="version: 1\nlimits: {activate: 1}\n")
    wait_until(lambda: "slow" in check.activated(fleet["web-1"]), "the script runs")
    check.ended(run.kill(signal.SIGTERM).wait(), 143)
    check.equal(len(run.select("cancel.requested", signal="SIGTERM")), 1, "cancel.requested")
    left = run.node("web-1")
    check.equal((left["outcome"], left["reason"]), ("cancelled", "left-to-target"), "web-1")
    assert left["decides_by"], "decides_by"
    check.runs(fleet["web-2"], 1, "good", "good")
    wait_until(lambda: check.activated(fleet["web-1"]) == ["good", "slow", "good"], "rolled back")
    check.equal(check.installed(fleet["web-1"]), (1, "good"), "profile of web-1")
