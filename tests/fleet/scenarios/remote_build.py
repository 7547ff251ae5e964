# SPDX-License-Identifier: Apache-2.0
"""remoteBuild: the target's own Nix builds, over belay's one connection; what it makes never was on the
runner."""

import os
import signal

from fleet import check
from fleet.flake import Expression, node, profile
from fleet.fleet import each_nix, hosts
from fleet.host import SYSTEM
from fleet.runner import deploy, start, wait_until


def built_by_its_host(version, before="", fails_at=None):
    """A closure whose version is read from a file that only its target has. `before`: what the builder
    does first; `fails_at` a step before it: another derivation that this one needs."""
    needs = ("" if fails_at is None else
             'needs = derivation { name = "needed"; system = "%s"; builder = "/bin/sh"; '
             'PATH = "/usr/bin:/bin"; args = [ "-c" "echo step one; echo %s; exit 7" ]; };'
             % (SYSTEM, fails_at))
    return Expression(r'''(derivation {
      name = "app-%s"; system = "%s"; builder = "/bin/sh"; PATH = "/usr/bin:/bin"; %s
      args = [ "-c" "set -eu; echo building on $(cat /etc/hostname) with $NIX_BUILD_CORES; %s mkdir $out; { echo '#!/bin/sh'; echo echo %s-$(cat /etc/secret) '>>/var/lib/activated'; } >$out/deploy-rs-activate; chmod +x $out/deploy-rs-activate" ];
    })''' % (version, SYSTEM, needs, before, version))


def give_secret(*fleet):
    for host in fleet:
        host.path("/etc/secret").write_text(f"of-{host.name}\n")


def nodes(fleet, version, **settings):
    return {host.name: node(host, built_by_its_host(version, **settings), remoteBuild=True)
            for host in fleet}


def not_on_the_runner(version):
    found = [name for name in os.listdir("/nix/store") if name.endswith(f"-app-{version}")]
    check.equal(found, [], "outputs in the runner's store")


def proven(fleet, *arguments):
    web = fleet["web-1"]
    give_secret(*fleet)
    with open(web.path("/etc/nix/nix.conf"), "a", encoding="utf-8") as settings:
        settings.write("cores = 3\n")
    run = check.ended(deploy(nodes(fleet, "one"), *arguments), 0)
    for host in fleet:
        check.runs(host, 1, "one", f"one-of-{host.name}")
        [built] = run.select("build.finished", node=host.name)
        check.equal((built["data"]["built_on"], built["data"]["cached"]), (host.name, False),
                    "build.finished")
        [stage] = run.select("stage.finished", node=host.name, stage="build")
        check.equal(stage["data"]["details"], {"built_on": host.name}, "details of build")
    not_on_the_runner("one")
    said = [event["data"]["text"] for event in run.select("log", node="web-1", stage="build")]
    assert "building on web-1 with 3" in said, said # its own cores, not the runner's
    return run


@each_nix
@hosts(1)
def builds_there(fleet):
    """Also that a second run finds it, and that what was built has a root."""
    proven(fleet)
    web = fleet["web-1"]
    again = check.ended(deploy(nodes(fleet, "one")), 0)
    [built] = again.select("build.finished")
    assert built["data"]["cached"], built
    assert not again.select("stage.finished", stage="build")[0]["data"]["changed"]
    web.output("nix-store", "--gc")
    check.runs(web, 1, "one", "one-of-web-1 one-of-web-1")


@hosts(2)
def several_at_once_by_the_flag(fleet):
    give_secret(*fleet)
    plan = {host.name: node(host, built_by_its_host("one")) for host in fleet}
    run = check.ended(deploy(plan, "--remote-build", "--transport", "openssh"), 0)
    for host in fleet:
        check.runs(host, 1, "one", f"one-of-{host.name}")
    check.equal({event["data"]["built_on"] for event in run.select("build.finished")},
                {"web-1", "web-2"}, "built_on")
    not_on_the_runner("one")


@hosts(2)
def a_build_that_fails_there(fleet):
    """Nobody is touched; the derivation and the end of its log are named."""
    web, other = fleet
    give_secret(*fleet)
    plan = nodes([other], "one") | nodes([web], "one", fails_at="no such compiler")
    run = check.ended(deploy(plan), 21)
    ended = run.node("web-1")
    check.equal((ended["outcome"], ended["reason"]), ("failure", "build-failed"), "node.finished")
    [stage] = run.select("stage.finished", node="web-1", stage="build")
    for words in ["-needed.drv", "exit code 7", "on web-1"]:
        assert words in stage["msg"], f"{words!r} is not in: {stage['msg']}"
    log = "\n".join(event["data"]["text"] for event in run.select("log", node="web-1"))
    assert "no such compiler" in log, log
    assert "no such compiler" in run.console(), run.console()
    for host in fleet:
        check.untouched(host)
        check.quiet(host)


def builders(host):
    return [words for words in host.processes().values() if "sleep 600" in words]


@hosts(1)
def a_cancel_ends_the_build_there(fleet):
    web = fleet["web-1"]
    give_secret(web)
    run = start(nodes(fleet, "one", before="sleep 600;"))
    wait_until(lambda: builders(web), "the build runs on the host")
    check.ended(run.kill(signal.SIGTERM).wait(), 143)
    wait_until(lambda: not builders(web), "the build has ended on the host", 10)
    check.untouched(web)
    check.quiet(web)


# What is lost without a word is noticed in 4 s.
WATCHFUL = ["-o", "ServerAliveInterval=2", "-o", "ServerAliveCountMax=1", "-o", "ConnectTimeout=2"]


def building(web, seconds):
    """A run whose build there has begun, and takes so long."""
    give_secret(web)
    run = start({"web-1": node(web, built_by_its_host("one", before=f"sleep {seconds};"),
                               remoteBuild=True, sshOpts=WATCHFUL)})
    wait_until(lambda: [words for words in web.processes().values() if f"sleep {seconds}" in words],
               "the build runs on the host")
    return run


@hosts(1)
def the_connection_is_lost_while_it_builds(fleet):
    """Made anew, once; what was built meanwhile is found, or it is built."""
    web = fleet["web-1"]
    run = building(web, 3)
    sessions = [pid for pid, words in web.processes().items() if words.startswith("sshd: root")]
    web.output("kill", "-KILL", *sessions)
    check.ended(run.wait(), 0)
    assert run.select("stage.retrying", node="web-1", stage="build"), "stage.retrying"
    check.runs(web, 1, "one", "one-of-web-1")
    not_on_the_runner("one")


@hosts(1)
def the_host_is_lost_while_it_builds(fleet):
    web = fleet["web-1"]
    run = building(web, 600)
    web.cut()
    check.ended(run.wait(), 13)
    check.equal(run.node("web-1")["reason"], "unreachable", "reason")
    check.untouched(web)


@hosts(1)
def a_stranger_may_build(fleet):
    """A user whom the daemon does not trust: derivations and sources need no signature."""
    web = fleet["web-1"]
    give_secret(web)
    web.serve_nix()
    plan = {"web-1": node(web, sshUser="app", remoteBuild=True, profiles={
        "site": profile(built_by_its_host("one"), user="app")})}
    check.ended(deploy(plan), 0)
    check.equal(check.installed(web, "site", "app"), (1, "one"), "profile")
    check.equal(check.activated(web), ["one-of-web-1"], "activations")
    not_on_the_runner("one")


@each_nix
@hosts(1)
def by_the_settings_of_its_host(fleet, *arguments):
    """Its own nix.conf counts: a builder that says nothing is ended after as long as it allows."""
    web = fleet["web-1"]
    give_secret(web)
    with open(web.path("/etc/nix/nix.conf"), "a", encoding="utf-8") as settings:
        settings.write("max-silent-time = 1\n")
    run = check.ended(deploy(nodes(fleet, "one", before="sleep 60;"), *arguments), 21)
    [stage] = run.select("stage.finished", node="web-1", stage="build")
    assert "silen" in stage["msg"], stage["msg"]
    check.untouched(web)
    check.quiet(web)
