# SPDX-License-Identifier: Apache-2.0
"""Whom a host's Nix daemon takes closures from: users whom it trusts, keys that it trusts, nobody else."""

import os
import pathlib

from fleet import check, world
from fleet.flake import node, package, profile
from fleet.fleet import each_nix, hosts
from fleet.runner import deploy


def nodes(host, version):
    return {host.name: node(host, sshUser="app", profiles={
        "site": profile(package(version), user="app")})}


def refused(host, version):
    run = check.ended(deploy(nodes(host, version)), 22)
    ended = run.node(host.name)
    check.equal((ended["outcome"], ended["reason"]), ("error", "copy-failed"), "node.finished")
    [copy] = run.select("stage.finished", node=host.name, stage="copy")
    for words in [f"-app-{version}", "does not trust app", "trusted-public-keys",
                  "trusted-users"]:
        assert words in copy["msg"], f"{words!r} is not in: {copy['msg']}"
    check.quiet(host)


def make_key():
    """A secret key's file, and its public half."""
    key = world.HOME / "signing-key"
    key.write_text(world.run("nix", "key", "generate-secret", "--key-name", "ci-1").strip())
    return key, world.run("nix", "key", "convert-secret-to-public", text=key.read_text()).strip()


def trust(host, public):
    with open(host.path("/etc/nix/nix.conf"), "a", encoding="utf-8") as settings:
        settings.write(f"trusted-public-keys = {public}\n")
    host.reboot()


def sign_builds():
    """What Nix builds here is signed from now on; returns the public half."""
    key, public = make_key()
    settings = pathlib.Path(os.environ["NIX_CONF_DIR"], "nix.conf")
    settings.write_text(f"{settings.read_text()}secret-key-files = {key}\n")
    return public


@hosts(1)
def a_user_who_is_not_trusted(fleet):
    """Refused, with the ways out; with the first of them it goes, and only for what is signed."""
    [web] = fleet
    web.serve_nix()
    refused(web, "one")
    check.equal(check.installed(web, "site", "app"), None, "profile")
    public = sign_builds()
    refused(web, "two")
    trust(web, public)
    check.ended(deploy(nodes(web, "three")), 0)
    check.equal(check.installed(web, "site", "app"), (1, "three"), "profile")
    refused(web, "one") # built before there was a key
    check.equal(check.installed(web, "site", "app"), (1, "three"), "profile")
    check.equal(check.activated(web), ["three"], "activations")


@each_nix
@hosts(1)
def a_local_key(fleet):
    """LOCAL_KEY signs what goes over, for a daemon that takes nothing else; and of the key nobody is
    told but the file's name."""
    [web] = fleet
    web.serve_nix()
    key, public = make_key()
    trust(web, public)
    refused(web, "one")
    os.environ["LOCAL_KEY"] = str(key)
    run = check.ended(deploy(nodes(web, "two")), 0)
    check.equal(check.installed(web, "site", "app"), (1, "two"), "profile")
    [sign] = run.select("stage.finished", stage="sign")
    check.equal(sign["data"]["outcome"], "success", "sign")
    check.equal(run.cases()[web.name, "site: sign"], "passed", "JUnit")
    secret = key.read_text().partition(":")[2][:20]
    for name in ["events.jsonl", "junit.xml", "console"]:
        assert secret not in (run.out / name).read_text(), f"the key is in {name}"
    for file, words in [(world.HOME / "gone", "No such file"), (world.HOME / "public", "a public key"),
                        (world.HOME / "junk", "no secret key of Nix")]:
        (world.HOME / "public").write_text(public)
        (world.HOME / "junk").write_text("-----BEGIN PRIVATE KEY-----")
        os.environ["LOCAL_KEY"] = str(file)
        run = check.ended(deploy(nodes(web, "three")), 22)
        assert str(file) in run.console() and words in run.console(), run.console()
        check.equal(run.select("stage.started", stage="build"), [], "nothing is built")


@hosts(1)
def signatures_are_checked(fleet):
    """With --checksigs also of what a login brings that the daemon trusts."""
    [web] = fleet
    web.serve_nix(trusted_users=["app"])
    check.ended(deploy(nodes(web, "one")), 0)
    run = check.ended(deploy(nodes(web, "two"), "--checksigs"), 22)
    check.equal(run.node(web.name)["reason"], "copy-failed", "reason")
    key, public = make_key()
    trust(web, public)
    os.environ["LOCAL_KEY"] = str(key)
    check.ended(deploy(nodes(web, "three"), "--checksigs"), 0)
    check.equal(check.installed(web, "site", "app"), (2, "three"), "profile")
