# SPDX-License-Identifier: Apache-2.0
"""A host that systemd manages: the keeper is a unit, the script a scope of its own."""

from fleet import check
from fleet.flake import node, package
from fleet.fleet import hosts
from fleet.runner import deploy, start, wait_until
from fleet.systemd_host import SystemdHost
from scenarios import users

LOOK = "ps -wweo cgroup:300,args >~/processes\n"


def group_of(host, program, home="/root"):
    """The control group in which a program ran while the script looked around."""
    [line] = [line for line in host.read(f"{home}/processes").splitlines() if program in line]
    return line.split()[0].removeprefix("0::")


@hosts(1, SystemdHost)
def units_of_their_own(fleet):
    [web] = fleet
    run = check.ended(deploy({"web-1": node(web, package("one", LOOK))}), 0)
    check.runs(web, 1, "one", "one")
    [lock] = run.select("stage.finished", node="web-1", stage="lock")
    check.equal(lock["data"]["details"], {"detach": "systemd", "reboot_protection": "boot-unit"},
                "details of the lock")
    [transaction] = [path.name for path in web.path("/nix/var/nix/belay").iterdir()
                     if path.is_dir()]
    check.equal(group_of(web, "belay-agent keep"), f"/system.slice/belay-{transaction}.service",
                "group of the keeper")
    script = group_of(web, "/deploy-rs-activate")
    assert script.startswith(f"/system.slice/belay-{transaction}-act-0-"), script
    web.nothing_left()


def good(web, script=""):
    check.ended(deploy({"web-1": node(web, package("good", script))}), 0)


@hosts(1, SystemdHost)
def activation_fails(fleet):
    [web] = fleet
    good(web)
    run = check.ended(deploy({"web-1": node(web, package("bad", "exit 4\n"))}), 11)
    check.rolled_back(run, web, "activation", 2, 1)
    check.runs(web, 1, "good", "good bad good")
    web.nothing_left()


@hosts(1, SystemdHost)
def sshd_restarted(fleet):
    """As a system's activation does it: the manager, its bus and the way in begin anew, and what a
    boot would start is started, `recover` among it."""
    [web] = fleet
    good(web)
    anew = ("systemctl daemon-reexec\nsystemctl restart dbus ssh systemd-logind\n"
            "systemctl start multi-user.target\nsleep 1\necho still here\n")
    run = check.ended(deploy({"web-1": node(web, package("new", anew))}), 0)
    check.runs(web, 2, "new", "good new")
    assert "still here" in str(run.select("log")), "output after the restart"
    assert "Finished" in web.output("journalctl", "--unit", "belay-recover"), "recover"
    web.nothing_left()


@hosts(1, SystemdHost)
def session_terminated(fleet):
    """Every process of the login that asked for the deploy is gone before the script has ended."""
    [web] = fleet
    good(web)
    shut = "loginctl terminate-user root\nsleep 2\n"
    check.ended(deploy({"web-1": node(web, package("new", shut))}), 0)
    check.runs(web, 2, "new", "good new")
    web.nothing_left()


def undone_without_its_keeper(web, signal):
    run = start({"web-1": node(web, package("slow", "sleep 998\n"))})
    wait_until(lambda: check.activated(web)[-1] == "slow", "the script runs")
    [unit] = [unit for unit in web.units() if unit.endswith(".service")]
    web.output("systemctl", "kill", f"--signal={signal}", unit)
    check.rolled_back(check.ended(run.wait(), 11), web, "activation", 2, 1)
    said = web.output("journalctl", "--unit", unit)
    assert "Scheduled restart job, restart counter is at 1" in said, said


@hosts(1, SystemdHost)
def keeper_killed(fleet):
    """systemd starts it again; what it had begun is undone, and the script goes
    with its scope."""
    [web] = fleet
    good(web)
    undone_without_its_keeper(web, "KILL")
    undone_without_its_keeper(web, "TERM")
    check.runs(web, 1, "good", "good slow good slow good")
    web.nothing_left()


@hosts(1, SystemdHost)
def keeper_killed_before_confirm(fleet):
    """The one that follows waits for the same confirmation."""
    [web] = fleet
    good(web)
    run = start({"web-1": node(web, package("new", "systemctl stop ssh\n"), confirmTimeout=30)})
    run.wait_for("stage.finished", node="web-1", stage="activate", outcome="success")
    [unit] = [unit for unit in web.units() if unit.endswith(".service")]
    web.output("systemctl", "kill", "--signal=KILL", unit)
    wait_until(lambda: "restart counter is at 1" in web.output("journalctl", "--unit", unit),
               "systemd starts it again")
    web.output("systemctl", "start", "ssh")
    check.ended(run.wait(), 0)
    check.runs(web, 2, "new", "good new")
    web.nothing_left()


@hosts(1, SystemdHost)
def script_hangs(fleet):
    """Deaf to TERM, in a session of its own, nobody's child and without its environment: the
    scope has it all the same."""
    [web] = fleet
    good(web)
    deaf = "setsid env -i sh -c 'trap \"\" TERM; sleep 997; sleep 998' &\nsleep 999\n"
    run = check.ended(deploy({"web-1": node(web, package("bad", deaf), activationTimeout=2)}), 11)
    check.rolled_back(run, web, "activation", 2, 1)
    check.equal(run.node("web-1")["reason"], "activation-timeout", "reason")
    check.runs(web, 1, "good", "good bad good")
    web.nothing_left()


def undone_at_boot(web, script, trigger):
    good(web)
    boot = web.boot_id()
    run = start({"web-1": node(web, package("bad", script), confirmTimeout=30)})
    web.wait_for_reboot(boot)
    check.rolled_back(check.ended(run.wait(), 11), web, trigger, 2, 1)
    check.runs(web, 1, "good", "good bad good")
    web.nothing_left()
    assert "Finished" in web.output("journalctl", "--unit", "belay-recover"), "recover"


@hosts(1, SystemdHost)
def reboot_before_confirm(fleet):
    """The script has ended well, and nobody can confirm before the reboot."""
    undone_at_boot(fleet["web-1"], "systemctl stop ssh\n"
                   "systemd-run --quiet --on-active=1 systemctl reboot\n", "confirm-timeout")


@hosts(1, SystemdHost)
def reboot_by_the_script(fleet):
    undone_at_boot(fleet["web-1"], "systemctl reboot\nsleep 999\n", "activation")


SLOW_BOOT = """\
[Unit]
DefaultDependencies=no
Before=sysinit.target
[Service]
Type=oneshot
ExecStart=/bin/sleep 2
"""


@hosts(1, SystemdHost)
def power_cut_and_no_runner(fleet):
    """The old generation's script needs the system bus, as NixOS's does, and the bus comes late."""
    [web] = fleet
    slow = web.path("/etc/systemd/system/slow.service")
    slow.write_text(SLOW_BOOT)
    (slow.parent / "sysinit.target.wants").mkdir(exist_ok=True)
    (slow.parent / "sysinit.target.wants/slow.service").symlink_to("../slow.service")
    good(web, "busctl call org.freedesktop.DBus / org.freedesktop.DBus ListNames\n")
    run = start({"web-1": node(web, package("bad", "sleep 999\n"))})
    wait_until(lambda: "bad" in check.activated(web), "the script runs")
    run.kill().wait()
    web.reboot()
    wait_until(lambda: check.activated(web) == ["good", "bad", "good"], "the host rolls back")
    wait_until(lambda: check.installed(web) == (1, "good"), "generation 1 is back")
    web.nothing_left()
    again = check.ended(deploy({"web-1": node(web, package("better"))}), 0)
    assert "left profile system rolled-back" in str(again.select("log")), "what the host tells"


SERVICE = """\
unit=/etc/systemd/system/app.service
printf '[Service]\\nExecStart=/bin/sleep %s\\n' >$unit
systemctl daemon-reload
systemctl restart app.service
"""


@hosts(1, SystemdHost)
def service_restarted(fleet):
    """What the activation starts by systemd is no part of the script, and stays."""
    [web] = fleet
    main = ["systemctl", "show", "--property=ActiveState,ExecStart", "app.service"]
    good(web, SERVICE % "1001")
    check.ended(deploy({"web-1": node(web, package("new", SERVICE % "1002"))}), 0)
    assert "sleep 1002" in web.output(*main)
    bad = SERVICE % "1003" + "exit 1\n"
    check.ended(deploy({"web-1": node(web, package("bad", bad))}), 11)
    shown = web.output(*main)
    assert "ActiveState=active" in shown and "sleep 1002" in shown, shown
    check.runs(web, 2, "new", "good new bad new")


LOGS_OUT = "pkill -KILL -u app sshd-session\nsleep 2\n"
"""Ends all logins of his, the one that asked for the deploy among them."""


def details_for_user(web):
    """Deploys as a user with a daemon; how that was detached from his login."""
    web.serve_nix(trusted_users=["app"])
    run = check.ended(deploy(users.nodes(web, "one")), 0)
    [lock] = run.select("stage.finished", node="web-1", stage="lock")
    return lock["data"]["details"]


@hosts(1, SystemdHost)
def user_who_lingers(fleet):
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
def user_without_a_manager(fleet):
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
def user_whose_processes_are_killed(fleet):
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
