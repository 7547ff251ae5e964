# SPDX-License-Identifier: Apache-2.0
"""Who is not root, on a host that systemd manages: what happens to his deploy when his login ends."""

from fleet import check
from fleet.flake import node, package, profile
from fleet.fleet import hosts
from fleet.runner import deploy
from fleet.systemd_host import SystemdHost
from scenarios import users
from scenarios.systemd import LOOK, group_of

LOGS_OUT = "pkill -KILL -u app sshd-session\nsleep 2\n"
"""Ends all logins of his, the one that asked for the deploy among them."""


def details_for_user(web):
    """Deploys as a user with a daemon; how that was detached from his login."""
    web.serve_nix(trusted_users=["app"])
    run = check.ended(deploy(users.nodes(web, "one")), 0)
    [lock] = run.select("stage.finished", node="web-1", stage="lock")
    return lock["data"]["details"]


@hosts(1, SystemdHost)
def lingering(fleet):
    """He has a manager of his own that outlives his logins."""
    [web] = fleet
    web.login("loginctl enable-linger app")
    check.equal(details_for_user(web), {"detach": "systemd-user", "reboot_protection": "none"},
                "details of the lock")
    check.ended(deploy(users.nodes(web, "two", LOOK + LOGS_OUT)), 0)
    users.runs(web, 2, "two", "one two")
    own = "/user.slice/user-1000.slice/user@1000.service/app.slice/belay-"
    keeper, script = (group_of(web, program, "/home/app")
                      for program in ["belay-agent keep", "/deploy-rs-activate"])
    assert keeper.startswith(own) and keeper.endswith(".service"), keeper
    assert script.startswith(own) and script.endswith(".scope"), script
    web.nothing_left(users=["root", "app"])


@hosts(1, SystemdHost)
def without_a_manager(fleet):
    [web] = fleet
    check.equal(details_for_user(web), {"detach": "session", "reboot_protection": "none"},
                "details of the lock")
    check.ended(deploy(users.nodes(web, "two", LOGS_OUT)), 0)
    users.runs(web, 2, "two", "one two")
    web.nothing_left()


def kill_user_processes(web):
    folder = web.path("/etc/systemd/logind.conf.d")
    folder.mkdir()
    (folder / "kill.conf").write_text("[Login]\nKillUserProcesses=yes\n")
    web.output("systemctl", "restart", "systemd-logind")


@hosts(1, SystemdHost)
def processes_are_killed(fleet):
    """Nothing of his survives his logout: that is said before, and undone after."""
    [web] = fleet
    kill_user_processes(web)
    assert "logind kills" in details_for_user(web)["detach_weak"], "detach_weak"
    run = check.ended(deploy(users.nodes(web, "two", LOGS_OUT)), 11)
    check.rolled_back(run, web, "activation", 2, 1)
    users.runs(web, 1, "one", "one two one")
    web.nothing_left()


@hosts(1, SystemdHost)
def root_by_sudo(fleet):
    """Who becomes root has what root has, whatever happens to his own login."""
    [web] = fleet
    kill_user_processes(web)
    web.serve_nix(trusted_users=["app"])
    web.path("/etc/sudoers.d/app").write_text("app ALL=(root) NOPASSWD: ALL\n")

    def nodes(version, script):
        return {"web-1": node(web, package(version, script), sshUser="app")}

    check.ended(deploy(nodes("one", "")), 0)
    check.ended(deploy(nodes("two", LOOK + LOGS_OUT)), 0)
    check.runs(web, 2, "two", "one two")
    assert group_of(web, "belay-agent keep").startswith("/system.slice/belay-"), "group"
    check.rolled_back(check.ended(deploy(nodes("bad", LOGS_OUT + "exit 4\n")), 11), web,
                      "activation", 3, 2)
    web.nothing_left()


@hosts(1, SystemdHost)
def by_run0(fleet):
    """systemd's own sudo: each agent is a unit of the owner's, and root needs no polkit for that."""
    [web] = fleet
    web.serve_nix(trusted_users=["app"])
    tell = "echo $(id -un) $HOME >/home/app/who\n"
    plan = {"web-1": node(web, sudo="run0 -u", profiles={
        "site": profile(package("one", tell), user="app")})}
    check.ended(deploy(plan), 0)
    check.equal(web.read("/home/app/who").split(), ["app", "/home/app"], "who ran it")
    check.equal(check.installed(web, "site", "app"), (1, "one"), "profile")
    web.nothing_left()
