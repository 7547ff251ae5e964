# SPDX-License-Identifier: Apache-2.0
"""The login is not the owner of the profile: the agent is started by the host's own sudo or doas, with
and without a password, and what the host says no to is told in words that help."""

import os
import re

from fleet import check, privilege, world
from fleet.flake import node, package, profile
from fleet.fleet import hosts
from fleet.runner import FOLDER, deploy, start, wait_until

ALLOW = "deploy ALL=(root) NOPASSWD: /nix/store/*-belay-agent serve"
ALLOW_APP = "deploy ALL=(app) NOPASSWD: /nix/store/*-belay-agent serve"
ALLOW_STORE = ALLOW + ", /nix/store/*-belay-agent store"
WITH_PASSWORD = "deploy ALL=(root) /nix/store/*-belay-agent serve"
NO_TTY = "Defaults:deploy !requiretty"
ALLOW_DOAS = "permit nopass deploy as root"
PASSWORD = "correct horse battery"
WRONG = "incorrect zebra battery"
PLAN = "version: 1\nflake: .\nsettings: {sudoPasswordEnv: DEPLOY_SUDO}\n"
WHO = "{ id -un; echo $HOME $PROFILE; } >/var/lib/who\n"


def with_deploy(host, *sudoers):
    """The user `deploy`, who may hand closures to the Nix daemon, and this sudoers file."""
    privilege.require()
    host.add_user("deploy", 1001)
    privilege.set_password(host, "deploy", PASSWORD)
    host.serve_nix(trusted_users=["deploy"])
    privilege.sudoers(host, *sudoers)
    return host


def nodes(host, version, script="", user="root", **settings):
    return {host.name: node(host, sshUser="deploy", profiles={
        "system": profile(package(version, WHO + script), user=user)}, **settings)}


def documented(language):
    """The lines that docs/users.md gives for a file of a host."""
    text = (world.REPOSITORY / "docs/users.md").read_text()
    return [block.strip() for block in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)]


def set_password(value):
    os.environ["DEPLOY_SUDO"] = value


def deployed_and_undone(host, plan=None, **settings):
    """Every place where an agent is started: the working link, confirm, contact that was lost."""
    check.ended(deploy(nodes(host, "one", **settings), plan=plan), 0)
    check.runs(host, 1, "one", "one")
    check.equal(host.read("/var/lib/who").split()[0], "root", "who ran the script")
    # Each of sshd's processes for a login may take another one with it before its turn comes.
    lost = "kill $(pgrep -f '^sshd: deploy') || :\n"
    run = check.ended(deploy(nodes(host, "two", lost, **settings), plan=plan), 0)
    assert any("connection was lost" in event["msg"] for event in run.select("log")), "contact"
    check.runs(host, 2, "two", "one two")
    run = check.ended(deploy(nodes(host, "three", "exit 4\n", **settings), plan=plan), 11)
    check.rolled_back(run, host, "activation", 3, 2)
    check.runs(host, 2, "two", "one two three two")
    check.quiet(host)


def refused(host, reason, *words, plan=None, **settings):
    """The deploy ends soon with 30, touches nothing, leaves nothing, and says these words."""
    run = check.ended(deploy(nodes(host, "refused", **settings), plan=plan), 30)
    ended = run.node(host.name)
    check.equal((ended["outcome"], ended["reason"]), ("error", reason), "node.finished")
    told = " ".join(event["msg"] for event in run.select("stage.finished", node=host.name))
    for word in words:
        assert word in told, f"{word!r} is not in: {told}"
    [lock] = run.select("stage.finished", node=host.name, stage="lock")
    assert lock["data"]["duration_s"] < 30, "it waited for the deadline"
    assert "refused" not in check.activated(host), "it was activated"
    check.quiet(host)
    return told


@hosts(2)
def without_a_password(fleet):
    """The sudoers line of the documentation; sudo gives the script a terminal of its own, or not. A
    node that fails takes the other one back, through sudo too."""
    web, db = fleet["web-1"], fleet["web-2"]
    with_deploy(web, "Defaults use_pty", ALLOW)
    with_deploy(db, "Defaults !use_pty", ALLOW)
    both = {**nodes(web, "one"), **nodes(db, "one")}
    check.ended(deploy(both), 0)
    for host in fleet:
        check.runs(host, 1, "one", "one")
        check.equal(host.read("/var/lib/who").split(),
                    ["root", "/root", "/nix/var/nix/profiles/system"], "user, HOME, PROFILE")
    waits = "until [ $(wc -l </var/lib/activated) = 2 ] && sleep 3; do sleep 0.1; done\n"
    check.ended(deploy({**nodes(web, "two"), **nodes(db, "two", waits + "exit 1\n")}), 11)
    for host in fleet:
        check.equal(check.installed(host), (1, "one"), f"{host.name}: profile")
        check.quiet(host)


def kill_sessions(host):
    """What sshd and sudo have started for deploy, monitor and all; some may have ended already."""
    for pid, arguments in host.processes().items():
        if arguments.startswith(("sudo ", "sshd: deploy")):
            host.run("kill", "-KILL", pid)


@hosts(1)
def sudo_killed(fleet):
    """sudo's monitor, its terminal and the session go; the keeper stays, with and without the runner."""
    web = with_deploy(fleet["web-1"], "Defaults use_pty", ALLOW)
    run = start(nodes(web, "one", "sleep 2\n"))
    wait_until(lambda: check.activated(web) == ["one"], "the script runs")
    kill_sessions(web)
    check.ended(run.wait(), 0)
    check.runs(web, 1, "one", "one")

    run = start(nodes(web, "two", "sleep 2\n", confirmTimeout=3))
    wait_until(lambda: check.activated(web) == ["one", "two"], "the script runs")
    run.kill().wait()
    kill_sessions(web)
    wait_until(lambda: check.activated(web) == ["one", "two", "one"], "the host rolls back")
    wait_until(lambda: check.installed(web) == (1, "one"), "generation 1 is back")


@hosts(1)
def doas(fleet):
    web = with_deploy(fleet["web-1"])
    check.equal(documented("doas"), [ALLOW_DOAS], "lines of docs/users.md")
    privilege.doas(web, ALLOW_DOAS)
    deployed_and_undone(web, sudo="doas -u")
    privilege.doas(web, "permit deploy as root")
    refused(web, "no-privilege", "doas asks deploy for a password", sudo="doas -u")
    privilege.doas(web, "permit nopass app as root")
    told = refused(web, "no-privilege", "doas does not let deploy run", sudo="doas -u")
    [line] = re.findall(r"with the line '([^']*)' in /etc/doas.conf", told)
    privilege.doas(web, line)
    check.ended(deploy(nodes(web, "allowed", sudo="doas -u")), 0)


@hosts(1)
def with_a_password(fleet):
    """sudo asks on every connection, after a long lecture; nobody but sudo gets to see the password."""
    web = with_deploy(fleet["web-1"], "Defaults lecture=always, lecture_file=/etc/lecture",
                      "Defaults timestamp_timeout=0", WITH_PASSWORD)
    web.path("/etc/lecture").write_text("With great power comes great responsibility.\n" * 200)
    web.path("/home/deploy/.profile").write_text("echo profile; echo profile >&2\n")
    set_password(PASSWORD)
    deployed_and_undone(web, plan=PLAN)
    nobody_knows(web)
    # While it runs: not in an argument, not in an environment, neither here nor there.
    run = start(nodes(web, "seen", "until [ -e /run/go ]; do sleep 0.1; done\n"), plan=PLAN)
    wait_until(lambda: "seen" in check.activated(web), "the script runs")
    check.in_no_process(PASSWORD)
    web.output("touch", "/run/go")
    check.ended(run.wait(), 0)
    told = f"echo it is {PASSWORD}\nexit 4\n"
    check.masked(check.ended(deploy(nodes(web, "telling", told), plan=PLAN), 11), PASSWORD)


@hosts(2)
def over_openssh(fleet):
    """With the ssh program as the transport, what is lost is found again with the password, and so is
    what another node's failure takes back."""
    plan = PLAN.replace("DEPLOY_SUDO", "DEPLOY_SUDO, transport: openssh")
    web, db = [with_deploy(host, "Defaults timestamp_timeout=0", WITH_PASSWORD) for host in fleet]
    set_password(PASSWORD)
    deployed_and_undone(web, plan=plan)
    nobody_knows(web)
    check.ended(deploy(nodes(db, "two"), plan=plan), 0)
    waits = "until [ $(wc -l </var/lib/activated) = 2 ] && sleep 3; do sleep 0.1; done\n"
    check.ended(deploy({**nodes(web, "five"), **nodes(db, "five", waits + "exit 1\n")}, plan=plan), 11)
    check.runs(web, 2, "two", "one two three two five two")
    check.runs(db, 1, "two", "two five two")
    for host in fleet:
        check.quiet(host)


def nobody_knows(host):
    """Nothing that a deploy leaves behind has the password in it, here or there."""
    for folder in [FOLDER, *(host.path(path) for path in ["/var", "/nix/var", "/home",
                                                                 "/root"])]:
        found = [str(path) for path in folder.rglob("*")
                 if path.is_file() and PASSWORD.encode() in path.read_bytes()]
        check.equal(found, [], f"files with the password in {folder}")


@hosts(1)
def password_not_asked_for(fleet):
    """NOPASSWD, and the runner has a password all the same: it stays at home."""
    web = with_deploy(fleet["web-1"], ALLOW)
    set_password(PASSWORD)
    deployed_and_undone(web, plan=PLAN)
    nobody_knows(web)


@hosts(1)
def wrong_password(fleet):
    web = with_deploy(fleet["web-1"], "Defaults timestamp_timeout=0", WITH_PASSWORD)
    set_password(WRONG)
    refused(web, "secret", "the environment variable DEPLOY_SUDO", plan=PLAN)
    privilege.sudoers(web, "Defaults passwd_tries=1", WITH_PASSWORD)
    refused(web, "secret", "the environment variable DEPLOY_SUDO", plan=PLAN)
    check.untouched(web)
    set_password("")
    run = check.ended(deploy(nodes(web, "one"), plan=PLAN), 30)
    assert not run.select("stage.started", node="web-1"), "something was begun"


@hosts(1)
def refusals(fleet):
    """Each names what the host's settings lack, and with that it goes."""
    check.equal(documented("sudoers"), [ALLOW, ALLOW_APP, NO_TTY, WITH_PASSWORD, ALLOW_STORE],
                "lines of docs/users.md: each is used by a scenario here")
    web = with_deploy(fleet["web-1"], "root ALL=(ALL) ALL")
    set_password(PASSWORD)
    told = refused(web, "no-privilege", "sudo does not let deploy run the agent as root",
                   "deploy is not", plan=PLAN)
    [line] = re.findall(r"with the line '([^']*)' in sudoers", told)
    check.equal(line, WITH_PASSWORD, "the line to add")
    told = refused(web, "no-privilege", "sudo asks deploy for a password", "sudoPasswordEnv")
    [line] = re.findall(r"with the line '([^']*)' in sudoers", told)
    check.equal(line, ALLOW, "the line to add")

    privilege.sudoers(web, "Defaults requiretty", ALLOW)
    told = refused(web, "no-privilege", "requiretty")
    [line] = re.findall(r"'(Defaults:[^']*)'", told)
    check.equal(line, NO_TTY, "the line to add")
    privilege.sudoers(web, "Defaults requiretty", ALLOW, line)
    check.ended(deploy(nodes(web, "one")), 0)

    refused(web, "no-privilege", "has no missing-sudo in the PATH of deploy",
            sudo="missing-sudo -u")
    privilege.sudoers(web, ALLOW.replace("(root)", "(ALL)"))
    refused(web, "no-privilege", "has no user nobody-knows", user="nobody-knows")
    check.runs(web, 1, "one", "one")


@hosts(1)
def another_user(fleet):
    """deploy logs in, app owns the profile: his home, his state directory, the daemon's store."""
    web = with_deploy(fleet["web-1"], "Defaults use_pty", ALLOW_APP)
    who = "{ id -un; echo $HOME; } >/home/app/who\n"
    site = {"site": profile(package("one", who), user="app")}
    check.ended(deploy({"web-1": node(web, sshUser="deploy", profiles=site)}), 0)
    check.equal(check.installed(web, "site", "app"), (1, "one"), "profile")
    check.equal(web.read("/home/app/who").split(), ["app", "/home/app"], "user, HOME")
    assert web.path("/home/app/.local/state/belay").is_dir(), "the state directory of app"
    site = {"site": profile(package("two", "exit 1\n"), user="app")}
    check.ended(deploy({"web-1": node(web, sshUser="deploy", profiles=site)}), 11)
    check.equal(check.installed(web, "site", "app"), (1, "one"), "profile")
    check.quiet(web)
