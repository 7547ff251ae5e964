# SPDX-License-Identifier: Apache-2.0
"""Two deploys of one host: the second one waits its turn, and says for whom."""

import os
import signal
import time

from fleet import check
from fleet.flake import node, package, profile
from fleet.fleet import hosts
from fleet.runner import deploy, start, wait_until

JOB = "https://ci.example/jobs/7"


def start_as_job(*arguments, **settings):
    """As a job of GitLab's, which the holder's name tells."""
    job = {"GITLAB_CI": "true", "CI_JOB_URL": JOB}
    os.environ.update(job)
    try:
        return start(*arguments, **settings)
    finally:
        for name in job:
            del os.environ[name]


def holds(web, script, **settings):
    """A deploy whose script runs; its run id."""
    run = start_as_job({"web-1": node(web, package("one", script), **settings)})
    wait_until(lambda: check.activated(web), "the script runs")
    return run, run.events()[0]["run"]


@hosts(1)
def waited_for(fleet):
    """The second deploy goes on as soon as the first one has let go, and both are good."""
    [web] = fleet
    first, holder = holds(web, "sleep 5\n")
    second = start({"web-1": node(web, package("two"))})
    waiting = second.wait_for("lock.waiting", node="web-1")
    check.equal((waiting["data"]["holder_run"], waiting["data"]["holder_url"]), (holder, JOB),
                "who is waited for")
    assert waiting["data"]["attended"], waiting
    assert 50 < waiting["data"]["longest_s"] <= 60, waiting
    check.ended(first.wait(), 0)
    first_over = time.monotonic()
    check.ended(second.wait(), 0)
    assert time.monotonic() - first_over < 8, "it was free at once"
    assert f"run {holder} ({JOB}), which holds the target since" in second.console()
    check.equal(len(second.select("lock.waiting")), 1, "events lock.waiting")
    check.runs(web, 2, "two", "one two")


@hosts(1)
def waited_for_in_vain(fleet):
    """With a limit, or without any patience; the plan file says it, too."""
    [web] = fleet
    first, holder = holds(web, "sleep 14\n")
    begin = time.monotonic()
    at_once = check.ended(deploy({"web-1": node(web, package("two"))}, "--lock-wait", "0"), 15)
    check.equal(at_once.select("lock.waiting"), [], "events lock.waiting")
    second = check.ended(deploy({"web-1": node(web, package("two"))},
                                plan="version: 1\nlockWait: 3\n"), 15)
    assert 3 <= time.monotonic() - begin < 12, "it waited for 3 s"
    [lock] = second.select("stage.finished", node="web-1", stage="lock")
    details = lock["data"]["details"]
    check.equal((details["holder_run"], details["holder_url"]), (holder, JOB), "the holder")
    assert details["holder_since"].startswith("20"), details
    assert f"held by run {holder} ({JOB}) since 20" in lock["msg"], lock["msg"]
    check.equal(second.cases()["web-1", "system: lock"], "error lock-held", "JUnit")
    check.ended(first.wait(), 0)
    check.runs(web, 1, "one", "one")


@hosts(1)
def cancelled_while_it_waits(fleet):
    [web] = fleet
    first, _ = holds(web, "sleep 5\n")
    second = start({"web-1": node(web, package("two"))})
    second.wait_for("lock.waiting", node="web-1")
    begin = time.monotonic()
    check.ended(second.kill(signal.SIGTERM).wait(), 143)
    assert time.monotonic() - begin < 4, "the wait ends at once"
    check.equal(second.node("web-1")["outcome"], "cancelled", "outcome")
    check.ended(first.wait(), 0)
    check.runs(web, 1, "one", "one")
    check.quiet(web)


@hosts(1)
def runner_killed_host_goes_on(fleet):
    """The first runner is gone for good, its host is in the middle of it. The next deploy waits, longer
    than it would for a living one, until the host has ended that by itself; says so; goes on."""
    [web] = fleet
    check.ended(deploy({"web-1": node(web, package("good"))}), 0)
    first = start({"web-1": node(web, package("slow", "sleep 4\n"), confirmTimeout=3)})
    wait_until(lambda: check.activated(web)[-1] == "slow", "the script runs")
    gone = first.events()[0]["run"]
    first.kill().wait()
    second = start({"web-1": node(web, package("better"))}, "--lock-wait", "35s")
    wait_until(lambda: second.process.poll() is not None, "the second deploy ends", seconds=150)
    check.ended(second.wait(), 0)
    told = [event["data"] for event in second.select("lock.waiting", node="web-1")]
    check.equal([(each["holder_run"], each["attended"]) for each in told],
                [(gone, True), (gone, False)], "who was waited for")
    [earlier] = second.select("earlier.resolved", node="web-1", profile="system")
    check.equal((earlier["data"]["earlier_run"], earlier["data"]["state"],
                 earlier["data"]["reason"]), (gone, "rolled-back", "confirm-timeout"), "earlier")
    assert gone in (second.out / "junit.xml").read_text(), "the report tells it, too"
    check.runs(web, 2, "better", "good slow good better")


@hosts(2)
def crosswise(fleet):
    """Each of two runs holds the host that the other one needs next. The later one gives up, at its
    time; the earlier one gets all, and no host has seen anything of the other."""
    here, there = fleet
    settings = {"plan": "version: 1\nlimits: {copy: 1}\nlockWait: 4\n"}

    def nodes(first, second, version):
        return {"a": node(first, package(version)), "b": node(second, package(version))}

    check.ended(deploy(nodes(here, there, "good")), 0)
    earlier = start(nodes(here, there, "earlier"), **settings)
    held = earlier.wait_for("stage.finished", node="a", stage="lock")
    earlier.kill(signal.SIGSTOP)  # it does not come to its second host
    later = start(nodes(there, here, "later"), **settings)
    also_held = later.wait_for("stage.finished", node="a", stage="lock")
    earlier.kill(signal.SIGCONT)
    begin = time.monotonic()
    for run, other in ((earlier, also_held["run"]), (later, held["run"])):
        waiting = run.wait_for("lock.waiting", node="b")
        check.equal(waiting["data"]["holder_run"], other, "who is waited for")
    check.ended(later.wait(), 15)
    check.ended(earlier.wait(), 0)
    assert time.monotonic() - begin < 20, "neither waited for longer than its time"
    check.equal(later.node("b")["reason"], "lock-held", "what the later one says of its second host")
    check.equal(later.node("a")["changed"], False, "its first host, which it held")
    for host in fleet:
        check.runs(host, 2, "earlier", "good earlier")
    check.ended(deploy(nodes(there, here, "later")), 0)


@hosts(1)
def two_nodes_that_are_one_machine(fleet):
    """The second one is not taken for what the first one deploys: it gets its turn, or says so."""
    [web] = fleet
    nodes = {"web-1": node(web, package("one")), "web-2": node(web, package("two"))}
    refused = check.ended(deploy(nodes, "--lock-wait", "1"), 15)
    lost, = [end for end in refused.select("node.finished") if end["data"]["outcome"] == "error"]
    winner = {"web-1": "web-2", "web-2": "web-1"}[lost["node"]]
    assert f"held by node {winner} of this very run" in refused.console(), refused.console()
    before = len(check.activated(web))
    first = check.ended(deploy(nodes, "--on-failure", "continue"), 15)
    [good] = [end["node"] for end in first.select("node.finished", outcome="success")]
    assert f"node {good} of this very run is the same machine" in first.console(), first.console()
    check.equal(check.activated(web)[before:], [{"web-1": "one", "web-2": "two"}[good]], "what ran")
    nodes["web-2"] = node(web, profiles={"app": profile(package("app"))})
    both = check.ended(deploy(nodes, "--on-failure", "continue"), 0)
    check.equal({end["data"]["outcome"] for end in both.select("node.finished")}, {"success"},
                "each has a profile of its own")
