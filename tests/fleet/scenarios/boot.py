# SPDX-License-Identifier: Apache-2.0
"""What runs, what the profile says and what would be booted: three things that a deploy keeps one."""

from fleet import check
from fleet.flake import node, package, system
from fleet.fleet import hosts
from fleet.runner import deploy, start

AFTER_CONFIRM = "version: 1\nsettings: {bootDefault: afterConfirm}\n"
BOOT_FAILS = "test $1 != boot || { echo 'no space left on /boot' >&2; exit 3; }\n"


def booted(host):
    return host.read("/var/lib/boot-default").strip()


def running(host):
    return host.output("readlink", "/run/current-system").strip().rpartition("-app-")[2]


def state(host):
    """What runs, what the profile says, what would be booted."""
    return running(host), check.installed(host)[1], booted(host)


@hosts(1)
def tried_confirmed_booted(fleet):
    [web] = fleet
    check.ended(deploy({"web-1": node(web, system("one"))}), 0)
    run = check.ended(deploy({"web-1": node(web, system("two"))}, plan=AFTER_CONFIRM), 0)
    check.equal(check.activated(web), "one:switch two:test two:boot".split(), "scripts")
    check.equal(state(web), ("two", "two", "two"), "what runs, is set, is booted")
    [lock] = run.select("stage.finished", node="web-1", stage="lock")
    check.equal(lock["data"]["details"]["boot_default"], "after-confirm", "boot_default")


@hosts(1)
def boot_script_fails(fleet):
    """Confirmed, but it would not be booted: back, and red."""
    [web] = fleet
    check.ended(deploy({"web-1": node(web, system("one"))}), 0)
    run = check.ended(deploy({"web-1": node(web, system("two", BOOT_FAILS))}, plan=AFTER_CONFIRM),
                      11)
    check.rolled_back(run, web, "activation", 2, 1)
    check.equal(run.node("web-1")["reason"], "boot-default-failed", "reason")
    check.equal(check.activated(web), "one:switch two:test two:boot one:switch".split(), "scripts")
    check.equal(state(web), ("one", "one", "one"), "what runs, is set, is booted")
    assert "no space left on /boot" in run.console(), "console without the script's word"


@hosts(1)
def power_cut_before_confirm(fleet):
    """What was only on trial is not what comes up again; the next deploy takes its link back."""
    [web] = fleet
    check.ended(deploy({"web-1": node(web, system("one"))}), 0)
    shut = "test $1 != test || kill $(cat /run/sshd.pid)\n"
    run = start({"web-1": node(web, system("two", shut), confirmTimeout=20)}, plan=AFTER_CONFIRM)
    run.wait_for("stage.finished", node="web-1", stage="activate", outcome="success")
    web.halt()
    run.kill().wait()
    check.equal(booted(web), "one", "what comes up")
    check.equal(check.installed(web), (2, "two"), "profile after the power cut")
    web.boot()
    web.wait_until_up()
    check.ended(deploy({"web-1": node(web, system("three"))}, plan=AFTER_CONFIRM), 0)
    check.equal(check.activated(web),
                "one:switch two:test one:switch three:test three:boot".split(), "scripts")
    check.equal(check.installed(web), (2, "three"), "profile")


@hosts(1)
def nothing_to_try_with(fleet):
    [web] = fleet
    run = check.ended(deploy({"web-1": node(web, package("one"))}, plan=AFTER_CONFIRM), 10)
    check.untouched(web)
    assert "bin/switch-to-configuration" in run.console(), "what is missing"
    check.quiet(web)


@hosts(1)
def what_ran_was_something_else(fleet):
    """Somebody set the profile back without activating it: told, and what ran is what comes back."""
    [web] = fleet
    check.ended(deploy({"web-1": node(web, system("one"))}), 0)
    check.ended(deploy({"web-1": node(web, system("two"))}), 0)
    web.output("nix-env", "-p", "/nix/var/nix/profiles/system", "--switch-generation", "1")
    check.equal((running(web), check.installed(web)), ("two", (1, "one")), "drift")

    run = check.ended(deploy({"web-1": node(web, system("three", "exit 4\n"))}), 11)
    [lock] = run.select("stage.finished", node="web-1", stage="lock")
    drift = lock["data"]["details"]["drift"]
    assert "-app-two ran, not /nix/store/" in drift and drift.endswith("-app-one"), drift
    check.equal(check.activated(web),
                "one:switch two:switch three:switch two:switch".split(), "scripts")
    check.equal((running(web), check.installed(web)), ("two", (1, "one")), "as it was")

    run = check.ended(deploy({"web-1": node(web, system("four"))}), 0)
    check.equal(running(web), "four", "what runs")
    run = check.ended(deploy({"web-1": node(web, system("four"))}), 0)
    [lock] = run.select("stage.finished", node="web-1", stage="lock")
    assert "drift" not in lock["data"]["details"], "drift where there is none"


@hosts(1)
def what_ran_had_no_profile(fleet):
    """A system that was booted over the network: no generation, and yet something to go back to."""
    [web] = fleet
    check.ended(deploy({"web-1": node(web, system("one"))}), 0)
    web.output("sh", "-c", "rm /nix/var/nix/profiles/system*")

    run = check.ended(deploy({"web-1": node(web, system("two", "exit 4\n"))}), 11)
    [lock] = run.select("stage.finished", node="web-1", stage="lock")
    assert lock["data"]["details"]["drift"].endswith("-app-one ran, of no generation"), lock
    check.equal(check.activated(web), "one:switch two:switch one:switch".split(), "scripts")
    check.equal((running(web), booted(web)), ("one", "one"), "as it was")
    check.equal(web.run("readlink", "/nix/var/nix/profiles/system")[0], 1, "no link, as before")
    check.ended(deploy({"web-1": node(web, system("three"))}), 0)
    check.equal(state(web), ("three", "three", "three"), "what runs, is set, is booted")
