# SPDX-License-Identifier: Apache-2.0
"""A deployment that shuts the runner out is undone by the host, after which one can get in again.

The good generation's script is what mends the host: it runs again when the host rolls back.
"""

from fleet import check
from fleet.flake import node, package
from fleet.fleet import hosts
from fleet.runner import deploy, start, wait_until


def locks_out(web, mend, destroy):
    check.ended(deploy({"web-1": node(web, package("good", mend))}), 0)
    run = check.ended(deploy({"web-1": node(web, package("bad", destroy), confirmTimeout=3)}), 11)
    check.rolled_back(run, web, "confirm-timeout", 2, 1)
    check.runs(web, 1, "good", "good bad good")
    check.equal(check.generations(web), [1], "generations")
    check.reachable(web)
    check.quiet(web)


@hosts(1)
def network(fleet):
    locks_out(fleet["web-1"], "ip link set eth0 up\n", "ip link set eth0 down\n")


@hosts(1)
def authorized_keys(fleet):
    locks_out(fleet["web-1"], "cd /root/.ssh\ntest ! -e away || mv away authorized_keys\n",
              "cd /root/.ssh\nmv authorized_keys away\n")


@hosts(1)
def sshd(fleet):
    locks_out(fleet["web-1"], "pgrep -x sshd >/dev/null || /usr/sbin/sshd\n",
              "pkill -KILL -x sshd\n")


@hosts(1)
def cable_pulled_during_the_script(fleet):
    """The runner loses the host before the script has ended, and for longer than the window."""
    web = fleet["web-1"]
    check.ended(deploy({"web-1": node(web, package("good"))}), 0)
    run = start({"web-1": node(web, package("slow", "sleep 2\n"), confirmTimeout=3)})
    wait_until(lambda: "slow" in check.activated(web), "the script runs")
    web.cut()
    wait_until(lambda: check.activated(web) == ["good", "slow", "good"], "the host rolls back")
    web.mend()
    check.rolled_back(check.ended(run.wait(), 11), web, "confirm-timeout", 2, 1)
    check.runs(web, 1, "good", "good slow good")
    check.reachable(web)
    [told] = run.select("log", stream="agent-log")
    for what in ["system: awaiting-confirm", "confirm-timeout", "| activating slow"]:
        assert what in told["data"]["text"], f"{what}: {told['data']['text']}"
    assert "system: awaiting-confirm" in (run.out / "junit.xml").read_text(), "JUnit"


@hosts(1)
def what_ran_before_does_not_let_in_either(fleet):
    """It never had to. The link is back, and the old connection lives: but that is no host that was
    rolled back cleanly."""
    [web] = fleet
    check.ended(deploy({"web-1": node(web, package("good"))}), 0)
    run = check.ended(deploy({"web-1": node(web, package("bad", "mv /root/.ssh/authorized_keys "
                                                                "/root/.ssh/away\n"),
                                            confirmTimeout=3)}), 12)
    check.runs(web, 1, "good", "good bad good")
    check.equal(run.node("web-1")["reason"], "rollback-failed", "reason")
    check.equal(run.select("node.rolled_back"), [], "events node.rolled_back")
    assert "is back, but no new login gets in" in run.console(), run.console()
    check.quiet(web, 90)  # nobody could tell its keeper that the run is over
