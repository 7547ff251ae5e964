# SPDX-License-Identifier: Apache-2.0
"""One host among good ones does not answer."""

from fleet import check, world
from fleet.flake import node, package
from fleet.fleet import hosts
from fleet.runner import deploy

IMPATIENT = ["-o", "ConnectTimeout=2"]


def deploy_with_one_cut_off(fleet, policy):
    fleet["web-2"].cut()
    run = check.ended(deploy({host.name: node(host, package("one"), sshOpts=IMPATIENT)
                              for host in fleet}, "--on-failure", policy), 13)
    lost = run.node("web-2")
    check.equal((lost["outcome"], lost["reason"]), ("error", "unreachable"), "web-2")
    check.untouched(fleet["web-2"])
    return run


@hosts(3)
def others_are_deployed(fleet):
    deploy_with_one_cut_off(fleet, "continue")
    for name in ["web-1", "web-3"]:
        check.runs(fleet[name], 1, "one", "one")
        check.quiet(fleet[name])


@hosts(3)
def nobody_is_activated(fleet):
    run = deploy_with_one_cut_off(fleet, "stop")
    for name in ["web-1", "web-3"]:
        check.untouched(fleet[name])
        check.equal(run.node(name)["outcome"], "skipped", name)


@hosts(1)
def another_host_key(fleet):
    [web] = fleet
    known = world.HOME / ".ssh/known_hosts"
    known.write_text(f"{web.name},{web.address} {fleet.stranger_key()}\n")
    run = check.ended(deploy({"web-1": node(web, package("one"))}), 13)
    assert "known_hosts line 1 has another one" in run.console(), run.console()
    check.untouched(web)


@hosts(1)
def login_refused(fleet):
    [web] = fleet
    web.path("/root/.ssh/authorized_keys").unlink()
    run = check.ended(deploy({"web-1": node(web, package("one"))}), 30)
    assert "root@web-1:22: login as root refused" in run.console(), run.console()
    check.untouched(web)
