# SPDX-License-Identifier: Apache-2.0
"""Whom a host's Nix daemon takes closures from: users whom it trusts, keys that it trusts, nobody else."""

import os
import pathlib

from fleet import check, world
from fleet.flake import node, package, profile
from fleet.fleet import hosts
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


def sign_builds():
    """What Nix builds here is signed from now on; returns the public half."""
    key = world.HOME / "signing-key"
    key.write_text(world.run("nix", "key", "generate-secret", "--key-name", "ci-1").strip())
    settings = pathlib.Path(os.environ["NIX_CONF_DIR"], "nix.conf")
    settings.write_text(f"{settings.read_text()}secret-key-files = {key}\n")
    return world.run("nix", "key", "convert-secret-to-public", text=key.read_text()).strip()


@hosts(1)
def a_user_who_is_not_trusted(fleet):
    """Refused, with the ways out; with the first of them it goes, and only for what is signed."""
    [web] = fleet
    web.serve_nix()
    refused(web, "one")
    check.equal(check.installed(web, "site", "app"), None, "profile")
    public = sign_builds()
    refused(web, "two")
    with open(web.path("/etc/nix/nix.conf"), "a", encoding="utf-8") as settings:
        settings.write(f"trusted-public-keys = {public}\n")
    web.reboot()
    check.ended(deploy(nodes(web, "three")), 0)
    check.equal(check.installed(web, "site", "app"), (1, "three"), "profile")
    refused(web, "one") # built before there was a key
    check.equal(check.installed(web, "site", "app"), (1, "three"), "profile")
    check.equal(check.activated(web), ["three"], "activations")
