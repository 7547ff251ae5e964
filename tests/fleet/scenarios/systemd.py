# SPDX-License-Identifier: Apache-2.0
"""A host that systemd manages: the keeper is a unit, the script a scope of its own."""

from fleet import check
from fleet.flake import node, package
from fleet.fleet import hosts
from fleet.runner import deploy
from fleet.systemd_host import SystemdHost

LOOK = "cat /proc/self/cgroup >/var/lib/own-group\nps -wweo cgroup:200,args >/var/lib/processes\n"


def unit_of(host, program):
    """The unit in which a program ran while the script looked around."""
    [line] = [line for line in host.read("/var/lib/processes").splitlines() if program in line]
    return line.split()[0].rpartition("/")[2]


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
    check.equal(unit_of(web, "belay-agent keep"), f"belay-{transaction}.service", "keeper's unit")
    script = unit_of(web, "/deploy-rs-activate")
    assert script.startswith(f"belay-{transaction}-act-0-") and script.endswith(".scope"), script
    web.nothing_left()
