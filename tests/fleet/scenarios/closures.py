# SPDX-License-Identifier: Apache-2.0
"""What a closure may be: one of any deploy-rs, one that deploy-rs never saw, and what is neither."""

from fleet import check
from fleet.flake import files, node, package, system_alone
from fleet.fleet import hosts
from fleet.runner import deploy

TRAP = "#!/bin/sh\necho trapped >>/var/lib/activated\nexit 7\n"


def trapped(version, script=""):
    """As a deploy-rs of any age makes it, with an activate-rs that would be noticed."""
    return files(f"app-{version}", {
        "activate-rs": TRAP, "belay-agent": TRAP,
        "deploy-rs-activate": f"#!/bin/sh\necho {version} >>/var/lib/activated\n{script}"})


def one_two_and_back_to_two(web, made):
    check.ended(deploy({"web-1": node(web, made("one"))}), 0)
    check.ended(deploy({"web-1": node(web, made("two"))}), 0)
    run = check.ended(deploy({"web-1": node(web, made("three", "exit 4\n"))}), 11)
    check.rolled_back(run, web, "activation", 3, 2)


@hosts(1)
def any_deploy_rs(fleet):
    """The activate-rs that a closure carries is never run: neither forward nor on the way back."""
    [web] = fleet
    one_two_and_back_to_two(web, trapped)
    check.runs(web, 2, "two", "one two three two")


@hosts(1)
def plain_system(fleet):
    """A system as nixos-rebuild builds it, deployed and gone back to."""
    [web] = fleet
    one_two_and_back_to_two(web, system_alone)
    check.runs(web, 2, "two", "one:switch two:switch three:switch two:switch")
    check.ended(deploy({"web-1": node(web, package("four", "exit 4\n"))}), 11)
    check.runs(web, 2, "two", "one:switch two:switch three:switch two:switch four two:switch")


@hosts(2)
def nothing_activates_it(fleet):
    """Said right after the build, by node, profile and path; nothing goes to any host."""
    web, db = fleet
    inert = files("app-inert", {"activate": TRAP, "activate-rs": TRAP})
    run = check.ended(deploy({"web-1": node(web, inert), "web-2": node(db, package("one"))}), 21)
    [build] = run.select("stage.finished", node="web-1", profile="system", stage="build")
    check.equal((build["data"]["outcome"], build["data"]["reason"]), ("failure", "no-activation"),
                "stage build")
    assert "nothing activates /nix/store/" in build["msg"] and "-app-inert" in build["msg"], build
    for host in fleet:
        check.untouched(host)
        check.equal([path.name for path in host.path("/nix").glob("store/*-app-*")], [],
                    f"closures on {host.name}")


@hosts(1)
def nothing_activates_what_the_target_built(fleet):
    """There it is found on the target, before anything is changed."""
    [web] = fleet
    inert = files("app-inert", {"activate": TRAP})
    run = check.ended(deploy({"web-1": node(web, inert, remoteBuild=True)}), 10)
    [lock] = run.select("stage.finished", node="web-1", profile="system", stage="lock")
    check.equal((lock["data"]["outcome"], lock["data"]["reason"]), ("error", "no-activation"),
                "stage lock")
    assert 'profile "system": nothing activates /nix/store/' in lock["msg"], lock
    check.untouched(web)
    check.quiet(web)


@hosts(1)
def plain_system_in_each_mode(fleet):
    """What switch-to-configuration is told where there is no deploy-rs-activate to tell it."""
    [web] = fleet
    check.ended(deploy({"web-1": node(web, system_alone("one"))}), 0)
    check.ended(deploy({"web-1": node(web, system_alone("two"))}, "--dry-activate"), 0)
    check.runs(web, 1, "one", "one:switch two:dry-activate")
    check.ended(deploy({"web-1": node(web, system_alone("two"))}, "--boot"), 0)
    check.runs(web, 2, "two", "one:switch two:dry-activate two:boot")
    run = check.ended(deploy({"web-1": node(web, system_alone("three", "exit 4\n"))}, "--boot"), 11)
    check.rolled_back(run, web, "activation", 3, 2)
    check.runs(web, 2, "two", "one:switch two:dry-activate two:boot three:boot two:boot")
