# SPDX-License-Identifier: Apache-2.0
"""Rows of what a drop-in for deploy-rs must do that need a real host: how it is reached (5.1), as whom
(5.8) and with what in the environment (5.7, 5.10)."""

import os

from fleet import check, world
from fleet.flake import node, package, profile
from fleet.fleet import hosts
from fleet.runner import deploy
from scenarios.logins import add_key, logins

RUNUSER = "auth sufficient pam_rootok.so\naccount required pam_permit.so\nsession required pam_permit.so\n"


@hosts(1)
def ssh_opts_and_a_port(fleet):
    """`-i KEY`, `-o StrictHostKeyChecking=no` for a host that nobody knows, and a port with the name."""
    [web] = fleet
    options = [*add_key(web, "deploy-key"), "-o", "StrictHostKeyChecking=no",
               "-o", "UserKnownHostsFile=/dev/null"]
    nodes = {"web-1": {**node(web, package("one")), "hostname": f"{web.address}:22"}}
    check.ended(deploy(nodes, sshOpts=options), 0)
    check.runs(web, 1, "one", "one")
    check.equal({key for _, key in logins(web)}, {"deploy-key"}, "keys")


@hosts(1)
def an_alias_of_ssh_config(fleet):
    [web] = fleet
    with open(world.HOME / ".ssh/config", "a", encoding="utf-8") as config:
        config.write(f"\nHost production\n  HostName {web.address}\n  HostKeyAlias web-1\n")
    check.ended(deploy({"web-1": {**node(web, package("one")), "hostname": "production"}}), 0)
    check.runs(web, 1, "one", "one")


@hosts(1)
def runuser(fleet):
    """Root logs in and becomes the owner by `runuser -u`, which leaves root's environment as it is."""
    [web] = fleet
    web.serve_nix(trusted_users=["app"])
    pam = web.path("/etc/pam.d/runuser")
    pam.parent.mkdir(exist_ok=True)
    pam.write_text(RUNUSER)
    tell = "echo $(id -un) $HOME $USER $LOGNAME >/home/app/who\n"
    nodes = {"web-1": node(web, sudo="runuser -u", profiles={
        "site": profile(package("one", tell), user="app")})}
    check.ended(deploy(nodes), 0)
    check.equal(web.read("/home/app/who").split(), ["app", "/home/app", "app", "app"], "who ran it")
    check.equal(check.installed(web, "site", "app"), (1, "one"), "profile")
    check.equal(os.stat(web.path("/home/app/who")).st_uid, 1000, "owner")
    check.quiet(web)


@hosts(1)
def no_nix_in_path(fleet):
    """A login that is no login shell has Nix nowhere in PATH; it is where its installer put it."""
    [web] = fleet
    plain, nix = web.path("/opt/plain"), web.path("/nix/var/nix/profiles/default/bin")
    plain.mkdir(parents=True)
    nix.mkdir(parents=True)
    for name in os.listdir("/usr/bin"):
        folder = nix if name == "nix" or name.startswith("nix-") else plain
        (folder / name).symlink_to(f"/usr/bin/{name}")
    with open(web.path("/etc/ssh/sshd_config"), "a", encoding="utf-8") as config:
        config.write("SetEnv PATH=/opt/plain\n")
    web.reboot()
    check.ended(deploy({"web-1": node(web, package("one", "command -v nix-env >/dev/null\n"))}), 0)
    check.runs(web, 1, "one", "one")
