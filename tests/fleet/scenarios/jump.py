# SPDX-License-Identifier: Apache-2.0
"""A host behind a jump host, for a user whose ssh keeps connections to both open."""

import re
import subprocess

from fleet import check, world
from fleet.flake import node, package
from fleet.fleet import hosts
from fleet.runner import deploy, start, wait_until

CONFIG = """\
Host web-1
  HostName {address}
  ProxyJump web-2
Host *
  ControlMaster auto
  ControlPath ~/.ssh/kept-%n
  ControlPersist 120
"""


def keep_connections(web):
    """As if the user had just worked on the host: masters to both that are no part of belay."""
    (world.HOME / ".ssh/config").write_text(CONFIG.format(address=web.address))
    world.run("ssh", "-o", "BatchMode=yes", "web-1", "true")


def drop_connections():
    for name in ["web-1", "web-2"]:
        subprocess.run(["ssh", "-O", "exit", name], check=False, capture_output=True)


@hosts(2)
def listener_dies_after_the_login(fleet):
    """Nobody gets in any more, though all that is open still works: that is no confirmation, and
    once the host went back no proof that it can be reached."""
    web, jump = fleet
    keep_connections(web)
    try:
        run = check.ended(deploy({"web-1": node(web, package("good"))}), 0)
        [confirmed] = run.select("stage.finished", node="web-1", stage="confirm")
        check.equal(confirmed["data"]["details"]["confirm_path"], "proxy-jump", "confirm_path")
        moved = [event["msg"] for event in run.select("log", node="web-1", stream="ssh")]
        assert len(moved) == 1 and "proxyjump web-2" in moved[0], moved
        waits = "until [ -e /var/lib/go ]; do sleep 0.05; done\n"
        run = start({"web-1": node(web, package("bad", waits), confirmTimeout=3)})
        wait_until(lambda: "bad" in check.activated(web), "the script runs")
        jump.output("pkill", "-KILL", "--oldest", "-x", "sshd")
        web.path("/var/lib/go").touch()
        check.ended(run.wait(), 12)
        assert "confirm" in run.console() and "is back, but no new login gets in" in run.console()
        check.runs(web, 1, "good", "good bad good")
        world.run("ssh", "-o", "BatchMode=yes", "web-1", "true")  # the trap was there all the time
        came_from = re.findall(r"Accepted publickey for \S+ from (\S+)",
                               web.read("/var/log/sshd.log"))
        check.equal(set(came_from), {jump.address}, "where the logins came from")
    finally:
        drop_connections()
    jump.output("/usr/sbin/sshd")
    run = check.ended(deploy({"web-1": node(web, package("better"))}), 0)
    check.runs(web, 2, "better", "good bad good better")
    check.quiet(web)


@hosts(2)
def openssh_for_a_host_in_plain_sight(fleet):
    """`transport: openssh` deploys as libssh2 does, whatever happens on the way."""
    web, other = fleet
    plan = "version: 1\nsettings: {transport: openssh}\n"
    mend = "cd /root/.ssh\ntest ! -e away || mv away authorized_keys\n"
    run = check.ended(deploy({"web-1": node(web, package("one", mend)),
                              "web-2": node(other, package("one"))}, plan=plan), 0)
    [confirmed] = run.select("stage.finished", node="web-1", stage="confirm")
    check.equal(confirmed["data"]["details"]["confirm_path"], "direct", "confirm_path")
    shuts_out = package("two", "cd /root/.ssh\nmv authorized_keys away\n")
    run = check.ended(deploy({"web-1": node(web, shuts_out, confirmTimeout=3)}, plan=plan), 11)
    check.rolled_back(run, web, "confirm-timeout", 2, 1)
    check.runs(web, 1, "one", "one two one")
    check.quiet(web)
