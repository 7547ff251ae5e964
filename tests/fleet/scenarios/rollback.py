# SPDX-License-Identifier: Apache-2.0
"""A deployment that the host judges bad is undone by the host, to exactly what ran before."""

import os

from fleet import check
from fleet.flake import node, package, profile
from fleet.fleet import each_nix, hosts
from fleet.runner import deploy

BROKEN = "echo 'starting postgresql.service ... failed' >&2\nexit 4\n"


@each_nix
@hosts(2)
def activation_fails(fleet):
    check.ended(deploy({host.name: node(host, package("good")) for host in fleet}), 0)
    run = check.ended(deploy({"web-1": node(fleet["web-1"], package("bad", BROKEN)),
                              "web-2": node(fleet["web-2"], package("better"))},
                             "--on-failure", "continue"), 11)
    check.rolled_back(run, fleet["web-1"], "activation", 2, 1)
    check.runs(fleet["web-1"], 1, "good", "good bad good")
    check.equal(check.generations(fleet["web-1"]), [1], "generations of web-1")
    check.runs(fleet["web-2"], 2, "better", "good better")
    [activate] = run.select("stage.finished", node="web-1", stage="activate")
    check.equal(activate["data"]["exit_status"], 4, "exit_status")
    assert "starting postgresql.service ... failed" in run.console(), "console without the log"
    for host in fleet:
        check.quiet(host)


@hosts(1)
def activation_hangs(fleet):
    """At the deadline all that the script started is stopped before the host goes back."""
    [web] = fleet
    check.ended(deploy({"web-1": node(web, package("good"))}), 0)
    hang = "trap '' TERM\n(trap '' TERM; sleep 998; sleep 998) &\nsleep 999\nsleep 999\n"
    run = check.ended(deploy({"web-1": node(web, package("bad", hang), activationTimeout=2)}), 11)
    check.rolled_back(run, web, "activation", 2, 1)
    check.equal(run.node("web-1")["reason"], "activation-timeout", "reason")
    check.runs(web, 1, "good", "good bad good")
    left = [arguments for arguments in web.processes().values() if "sleep" in arguments]
    check.equal(left, [], "what the script started")


@hosts(3)
def stop_rolls_back_those_before(fleet):
    check.ended(deploy({host.name: node(host, package("good")) for host in fleet}), 0)
    run = check.ended(deploy({"web-1": node(fleet["web-1"], package("better")),
                              "web-2": node(fleet["web-2"], package("bad", BROKEN)),
                              "web-3": node(fleet["web-3"], package("better"))},
                             plan="version: 1\nlimits: {activate: 1}\n"), 11)
    check.rolled_back(run, fleet["web-1"], "run-failed", 2, 1)
    check.runs(fleet["web-1"], 1, "good", "good better good")
    check.rolled_back(run, fleet["web-2"], "activation", 2, 1)
    check.runs(fleet["web-2"], 1, "good", "good bad good")
    check.equal(run.node("web-3")["outcome"], "skipped", "web-3")
    check.runs(fleet["web-3"], 1, "good", "good")


@hosts(1)
def without_auto_rollback(fleet):
    [web] = fleet
    check.ended(deploy({"web-1": node(web, package("good"))}), 0)
    check.ended(deploy({"web-1": node(web, package("bad", BROKEN), autoRollback=False)}), 10)
    check.runs(web, 2, "bad", "good bad")


@each_nix
@hosts(1)
def first_generation_fails(fleet):
    [web] = fleet
    run = check.ended(deploy({"web-1": node(web, package("bad", BROKEN))}), 11)
    check.rolled_back(run, web, "activation", 1, None)
    check.equal(check.installed(web), None, "profile")
    check.equal(check.generations(web), [], "generations")
    check.equal(check.activated(web), ["bad"], "activations")


@each_nix
@hosts(1)
def unchanged_closure_fails_once(fleet):
    [web] = fleet
    once = "if [ -e /root/broken ]; then rm /root/broken; exit 4; fi\n"
    nodes = {"web-1": node(web, package("good", once))}
    check.ended(deploy(nodes), 0)
    web.path("/root/broken").touch()
    run = check.ended(deploy(nodes), 11)
    check.runs(web, 1, "good", "good good good")
    check.equal(run.node("web-1")["rollback"], "succeeded", "rollback")


@each_nix
@hosts(1)
def link_straight_into_the_store(fleet):
    """A profile link that somebody made by hand is put back as it was."""
    [web] = fleet
    check.ended(deploy({"web-1": node(web, package("good"))}), 0)
    link = "/nix/var/nix/profiles/system"
    path = web.output("realpath", link).strip()
    web.output("ln", "-sfn", path, link)
    run = check.ended(deploy({"web-1": node(web, package("bad", BROKEN))}), 11)
    check.rolled_back(run, web, "activation", 2, None)
    check.equal(os.readlink(web.path(link)), path, "profile")
    check.equal(check.generations(web), [1], "generations")
    check.equal(check.activated(web), "good bad good".split(), "activations")


@hosts(1)
def unchanged_closure_fails_for_good(fleet):
    [web] = fleet
    nodes = {"web-1": node(web, package("good", "test ! -e /root/broken\n"))}
    check.ended(deploy(nodes), 0)
    web.path("/root/broken").touch()
    run = check.ended(deploy(nodes), 12)
    check.runs(web, 1, "good", "good good good")
    ended = run.node("web-1")
    check.equal((ended["outcome"], ended["reason"]), ("error", "rollback-failed"), "node.finished")
    check.equal(run.cases()["web-1", "system: rollback"], "error rollback-failed", "JUnit")


@each_nix
@hosts(1)
def second_profile_fails(fleet):
    [web] = fleet

    def nodes(version, script=""):
        return {"web-1": node(web, profilesOrder=["system", "base"], profiles={
            "system": profile(package("system" + version)),
            "base": profile(package("base" + version, script))})}

    check.ended(deploy(nodes("1")), 0)
    run = check.ended(deploy(nodes("2", BROKEN)), 11)
    check.equal(check.installed(web), (1, "system1"), "profile system")
    check.equal(check.installed(web, "base"), (1, "base1"), "profile base")
    told = {event["profile"]: event["data"]["trigger"]
            for event in run.select("node.rolled_back", node="web-1")}
    check.equal(told, {"base": "activation", "system": "profile-failed"}, "node.rolled_back")
    check.equal(check.activated(web),
                "system1 base1 system2 base2 base1 system1".split(), "activations")


@each_nix
@hosts(1)
def garbage_collected_in_the_window(fleet):
    """The way back stays on the disk although its generation was deleted meanwhile."""
    [web] = fleet
    check.ended(deploy({"web-1": node(web, package("good"))}), 0)
    check.ended(deploy({"web-1": node(web, package("bad", "nix-collect-garbage -d\nexit 4\n"))}),
                11)
    check.equal(check.installed(web)[1], "good", "profile")
    check.equal(check.activated(web), "good bad good".split(), "activations")
    check.ended(deploy({"web-1": node(web, package("better"))}), 0)
