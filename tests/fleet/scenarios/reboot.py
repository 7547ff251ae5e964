# SPDX-License-Identifier: Apache-2.0
"""A host that systemd manages goes down before a deploy was confirmed: it undoes that at boot."""

import re

from fleet import check, world
from fleet.flake import node, package, system
from fleet.fleet import hosts
from fleet.runner import deploy, start, wait_until
from fleet.systemd_host import SystemdHost
from scenarios.boot import state
from scenarios.systemd import good


def undone_at_boot(web, script, trigger):
    good(web)
    earlier = web.init
    run = start({"web-1": node(web, package("bad", script), confirmTimeout=30)})
    web.wait_for_reboot(earlier)
    check.rolled_back(check.ended(run.wait(), 11), web, trigger, 2, 1)
    check.runs(web, 1, "good", "good bad good")
    web.nothing_left()
    assert "Finished" in web.output("journalctl", "--unit", "belay-recover"), "recover"


@hosts(1, SystemdHost)
def before_confirm(fleet):
    """The script has ended well, and nobody can confirm before the reboot."""
    undone_at_boot(fleet["web-1"], "systemctl stop ssh\n"
                   "systemd-run --quiet sh -c 'sleep 1; systemctl reboot'\n", "confirm-timeout")


@hosts(1, SystemdHost)
def by_the_script(fleet):
    undone_at_boot(fleet["web-1"], "systemctl reboot\nsleep 999\n", "activation")


@hosts(1, SystemdHost)
def of_what_was_to_be_booted(fleet):
    """--boot: the new generation comes up before anybody heard whether its script ended well. What
    ran before does not run any more, so that the way back is a whole activation."""
    [web] = fleet
    check.ended(deploy({"web-1": node(web, system("one"))}), 0)
    earlier = web.init
    script = "test $1 != boot || { systemctl reboot; sleep 999; }\n"
    run = start({"web-1": node(web, system("two", script))}, "--boot")
    web.wait_for_reboot(earlier)
    check.rolled_back(check.ended(run.wait(), 11), web, "activation", 2, 1)
    check.equal(check.activated(web), "one:switch two:boot one:switch".split(), "scripts")
    check.equal(state(web), ("one", "one", "one"), "what runs, is set, is booted")
    web.nothing_left()


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
    check.equal([event["data"]["state"] for event in again.select("earlier.resolved")],
                ["rolled-back"], "what the host tells")


OWN_AGENT = "#!/bin/sh\necho \"$*\" >>/var/lib/own-agent\nexit 1\n"

OWN_UNIT = """\
[Unit]
DefaultDependencies=no
After=local-fs.target sysinit.target dbus.socket
[Service]
Type=oneshot
RemainAfterExit=true
KillMode=process
ExecStart="/bin/sh" "-c" "%s" "/nix/var/nix/belay" "/nix/var/nix/belay/recover-agent" "/var/lib/own"
[Install]
WantedBy=multi-user.target
"""


@hosts(1, SystemdHost)
def a_unit_of_the_machine_s_own(fleet):
    """With nix/module.nix it hides the one that is armed. Its package may be of another release: that
    is not what undoes the deploy."""
    [web] = fleet
    source = (world.REPOSITORY / "nix/module.nix").read_text()
    [script] = re.findall(r"^ +''(for agent.*)''$", source, re.MULTILINE)
    own = web.path("/var/lib/own")
    own.write_text(OWN_AGENT)
    own.chmod(0o755)
    unit = web.path("/etc/systemd/system/belay-recover.service")
    unit.write_text(OWN_UNIT % script.replace("$", "$$").replace('"', '\\"'))
    web.output("systemctl", "enable", "belay-recover")
    good(web)
    earlier = web.init
    run = start({"web-1": node(web, package("bad", "systemctl reboot\nsleep 999\n"))})
    web.wait_for_reboot(earlier)
    check.rolled_back(check.ended(run.wait(), 11), web, "activation", 2, 1)
    check.runs(web, 1, "good", "good bad good")
    assert not web.path("/var/lib/own-agent").exists(), web.read("/var/lib/own-agent")
    web.run("systemctl", "restart", "belay-recover")
    assert web.read("/var/lib/own-agent"), "with nothing armed, it is the machine's own"
