# SPDX-License-Identifier: Apache-2.0
"""A host that systemd manages: the keeper is a unit, the script a scope of its own."""

from fleet import check
from fleet.flake import node, package
from fleet.fleet import hosts
from fleet.runner import deploy, start, wait_until
from fleet.systemd_host import SystemdHost

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


def undone_by_a_keeper_that_systemd_starts(web, signal):
    """With nobody left who asks: an agent that serves would take over itself, maybe sooner. The
    script goes with its scope."""
    good(web)
    run = start({"web-1": node(web, package("slow", "sleep 998\n"))})
    wait_until(lambda: check.activated(web)[-1] == "slow", "the script runs")
    run.kill().wait()
    wait_until(lambda: not any("belay-agent serve" in arguments
                               for arguments in web.processes().values()), "nobody asks")
    [unit] = [unit for unit in web.units() if unit.endswith(".service")]
    web.output("systemctl", "kill", f"--signal={signal}", unit)
    wait_until(lambda: check.activated(web) == ["good", "slow", "good"], "the host rolls back")
    wait_until(lambda: check.installed(web) == (1, "good"), "generation 1 is back")
    said = web.output("journalctl", "--unit", unit)
    assert "Scheduled restart job, restart counter is at 1" in said, said
    check.quiet(web, seconds=90) # a keeper waits a minute for somebody who asks
    web.nothing_left()


@hosts(1, SystemdHost)
def keeper_killed(fleet):
    """systemd starts it again; what it had begun is undone."""
    undone_by_a_keeper_that_systemd_starts(fleet["web-1"], "KILL")


@hosts(1, SystemdHost)
def keeper_stopped(fleet):
    """A TERM, which systemd takes for a good end unless it is told otherwise."""
    undone_by_a_keeper_that_systemd_starts(fleet["web-1"], "TERM")


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
    """It goes on after a TERM, in a session of its own, nobody's child and without its environment: the
    scope has it all the same. It is asked, once, before it is killed."""
    [web] = fleet
    good(web)
    deaf = ("setsid env -i sh -c 'trap \"echo asked >>/root/asked\" TERM; "
            "while :; do sleep 1; done' &\nsleep 999\n")
    run = check.ended(deploy({"web-1": node(web, package("bad", deaf), activationTimeout=2)}), 11)
    check.rolled_back(run, web, "activation", 2, 1)
    check.equal(run.node("web-1")["reason"], "activation-timeout", "reason")
    check.equal(web.read("/root/asked"), "asked\n", "what the deaf one heard")
    [activate] = run.select("stage.finished", node="web-1", stage="activate")
    assert activate["data"]["duration_s"] >= 12, "it had no time to comply"
    check.runs(web, 1, "good", "good bad good")
    web.nothing_left()


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
