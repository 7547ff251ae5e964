# SPDX-License-Identifier: Apache-2.0
"""Profiles of a user who is not root and logs in as himself: no root, no systemd, no boot unit; his
own state directory, and the same promises."""

from fleet import check, world
from fleet.flake import node, package, profile
from fleet.fleet import hosts
from fleet.runner import deploy, start, wait_until

STATE = "/home/app/.local/state/belay"


def with_daemon(host):
    """Nix 2.8's daemon makes /nix/var/nix/profiles/per-user/app for whoever connects."""
    host.serve_nix(trusted_users=["app"])
    return host


def with_own_store(host):
    """A single-user Nix that makes no per-user folder, as from 2.14 on: the profile is in the home.
    An older nix-daemon makes one, so it is taken away when that ends."""
    host.output("chown", "-R", "app:", "/nix")
    program = host.path("/home/app/bin/nix-daemon")
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n/usr/bin/nix-daemon \"$@\"; code=$?\n"
                       "rmdir /nix/var/nix/profiles/per-user/app; exit $code\n")
    program.chmod(0o755)
    with open(host.path("/etc/ssh/sshd_config"), "a", encoding="utf-8") as config:
        config.write(f"SetEnv PATH=/home/app/bin:{world.SYSTEM_PATH}\n")
    host.reboot()
    return host


def nodes(host, version, script="", **settings):
    return {host.name: node(host, sshUser="app", profiles={
        "site": profile(package(version, "id -un >>/home/app/who\n" + script), user="app")},
        **settings)}


def runs(host, generation, version, history):
    check.equal(check.installed(host, "site", "app"), (generation, version), "profile")
    check.equal(check.activated(host), history.split(), "activations")
    check.equal(set(host.read("/home/app/who").split()), {"app"}, "who ran the scripts")


def deployed_and_undone(host):
    run = check.ended(deploy(nodes(host, "one")), 0)
    runs(host, 1, "one", "one")
    [lock] = run.select("stage.finished", node=host.name, stage="lock")
    check.equal(lock["data"]["details"]["reboot_protection"], "none", "reboot_protection")
    assert host.path(STATE).is_dir(), "his own state directory"
    assert not host.path("/nix/var/nix/belay").exists(), "root's state directory was used"

    run = check.ended(deploy(nodes(host, "two", "exit 4\n")), 11)
    check.rolled_back(run, host, "activation", 2, 1)
    runs(host, 1, "one", "one two one")
    check.equal(check.generations(host, "site", "app"), [1], "generations")
    check.quiet(host)


@hosts(1)
def per_user_profile(fleet):
    web = with_daemon(fleet["web-1"])
    deployed_and_undone(web)
    assert web.path("/nix/var/nix/profiles/per-user/app/site").is_symlink(), "per-user profile"


@hosts(1)
def profile_in_the_home(fleet):
    web = with_own_store(fleet["web-1"])
    deployed_and_undone(web)
    assert web.path("/home/app/.local/state/nix/profiles/site").is_symlink(), "profile in the home"


@hosts(1)
def runner_before_confirm(fleet):
    """His script shuts the door for himself alone; then nobody is left who could confirm."""
    web = with_daemon(fleet["web-1"])
    shut = "mv .ssh/authorized_keys .ssh/away\n"
    mend = "test ! -e .ssh/away || mv .ssh/away .ssh/authorized_keys\n"
    check.ended(deploy(nodes(web, "one", f"cd\n{mend}")), 0)
    run = start(nodes(web, "two", f"cd\n{shut}", confirmTimeout=3))
    run.wait_for("stage.finished", node="web-1", stage="activate", outcome="success")
    run.kill().wait()
    runs(web, 2, "two", "one two")
    wait_until(lambda: check.activated(web) == ["one", "two", "one"], "the host rolls back")
    wait_until(lambda: check.installed(web, "site", "app") == (1, "one"), "generation 1 is back")
    check.reachable(web, "app")
