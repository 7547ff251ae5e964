# SPDX-License-Identifier: Apache-2.0
"""The run's deadline: nothing new begins after it, and what is said of the rest is true."""

import time

from fleet import check
from fleet.flake import Expression, node, package, profile
from fleet.fleet import hosts
from fleet.runner import deploy, start, wait_until


@hosts(2)
def in_mid_run(fleet):
    """One script is running, one has not begun; the first is left to its host, which undoes it."""
    check.ended(deploy({host.name: node(host, package("good")) for host in fleet}), 0)
    run = start({"web-1": node(fleet["web-1"], package("slow", "sleep 60\n"), activationTimeout=14),
                 "web-2": node(fleet["web-2"], package("better"))},
                "--deadline", "8s", "--grace", "2", plan="version: 1\nlimits: {activate: 1}\n")
    wait_until(lambda: "slow" in check.activated(fleet["web-1"]), "the script runs")
    check.ended(run.wait(), 14)
    [cancel] = run.select("cancel.requested")
    check.equal((cancel["data"]["source"], cancel["data"]["signal"]), ("timeout", None), "why")
    left, never = run.node("web-1"), run.node("web-2")
    check.equal((left["outcome"], left["reason"]), ("cancelled", "left-to-target"), "web-1")
    check.equal((never["outcome"], never["reason"]), ("cancelled", "cancelled"), "web-2")
    [end] = run.select("run.finished")
    check.equal((end["data"]["outcome"], end["data"]["reason"]), ("cancelled", "deadline"), "run")
    assert "the deadline of the run has passed" in run.console(), run.console()
    check.runs(fleet["web-2"], 1, "good", "good")
    wait_until(lambda: check.activated(fleet["web-1"]) == ["good", "slow", "good"], "rolled back")
    check.equal(check.installed(fleet["web-1"]), (1, "good"), "profile of web-1")


@hosts(1)
def while_it_waits_for_the_lock(fleet):
    """The plan file's deadline is above --lock-wait; the host never hears of this run again."""
    [web] = fleet
    first = start({"web-1": node(web, package("one", "sleep 9\n"))})
    wait_until(lambda: check.activated(web), "the script runs")
    begin = time.monotonic()
    second = deploy({"web-1": node(web, package("two"))}, "--lock-wait", "5m",
                    plan="version: 1\ndeadline: 5\n")
    check.ended(second, 14)
    assert time.monotonic() - begin < 8, "it waited for its deadline, not for the lock"
    assert second.select("lock.waiting"), "it did wait"
    check.ended(first.wait(), 0)
    check.runs(web, 1, "one", "one")


@hosts(1)
def late_but_done(fleet):
    """What was activating when the deadline passed is confirmed within the grace: all is well."""
    [web] = fleet
    run = start({"web-1": node(web, package("one", "sleep 7\n"))},
                "--deadline", "5s", "--grace", "20")
    check.ended(run.wait(), 0)
    assert run.select("cancel.requested", source="timeout"), "the deadline passed"
    check.runs(web, 1, "one", "one")


@hosts(1)
def evaluation(fleet):
    """A deadline is counted from the start of the run, whatever it is busy with."""
    [web] = fleet
    check.ended(deploy({"web-1": node(web, package("one"))}), 0)
    endless = Expression("let fib = n: if n < 2 then n else fib (n - 1) + fib (n - 2); "
                         "in toString (fib 60)")
    run = start({"web-1": node(web, package("two"), tempPath=endless)}, "--deadline", "2s")
    check.ended(run.wait(), 14)
    [end] = run.select("evaluate.finished")
    check.equal(end["data"]["outcome"], "cancelled", "evaluation")
    check.runs(web, 1, "one", "one")


@hosts(1)
def between_two_profiles(fleet):
    """The profile that was activating is confirmed or rolled back, as ever; the next one never begins."""
    [web] = fleet

    def nodes(version, script=""):
        return {"web-1": node(web, profilesOrder=["system", "base"], profiles={
            "system": profile(package("system" + version, script), confirmTimeout=10),
            "base": profile(package("base" + version))})}

    def late(version, end=""):
        """Its first script ends after the deadline."""
        web.output("rm", "-f", "/go")
        run = start(nodes(version, f"until test -e /go; do sleep 0.1; done\n{end}"),
                    "--deadline", "8s", "--grace", "20")
        run.wait_for("cancel.requested", source="timeout")
        check.equal(check.activated(web)[-1], "system" + version, "what the host is at")
        web.output("touch", "/go")
        return run.wait()

    check.ended(deploy(nodes("1")), 0)
    run = check.ended(late("2"), 14)
    ended = run.node("web-1")
    check.equal((ended["outcome"], ended["reason"], ended["changed"]),
                ("cancelled", "cancelled", True), "web-1")
    check.equal({name: verdict for (suite, name), verdict in run.cases().items()
                 if suite == "web-1" and verdict == "passed" and name.startswith("base")
                 and "activate" in name}, {}, "JUnit: the profile that never began")
    [confirmed] = run.select("stage.finished", profile="system", stage="verify")
    check.equal(confirmed["data"]["outcome"], "success", "the first profile")
    check.equal(run.select("stage.started", profile="base", stage="activate"), [], "the second one")
    check.equal(check.installed(web), (2, "system2"), "profile system")
    check.equal(check.installed(web, "base"), (1, "base1"), "profile base")
    check.equal(check.activated(web), "system1 base1 system2".split(), "activations")
    run = check.ended(late("3", "exit 4\n"), 11)
    check.rolled_back(run, web, "activation", 3, 2)
    check.equal(check.installed(web), (2, "system2"), "profile system")
    check.equal(check.installed(web, "base"), (1, "base1"), "profile base")
    check.equal(check.activated(web), "system1 base1 system2 system3 system2".split(), "activations")
    check.quiet(web)
