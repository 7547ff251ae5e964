# SPDX-License-Identifier: Apache-2.0
"""What has to be true after a seed, read from the hosts first and from what the runs said second."""

import json
import time

from chaos.faults import agent_of, recover
from fleet import check
from fleet.runner import wait_until

SETTLED = 150
"""Seconds in which every target has decided: script and its killing, confirm time, the lock's minute,
the keeper's minute."""


def transactions(host):
    """As the agent itself tells them; [] where there never was one."""
    agent = agent_of(host)
    if not agent:
        return []
    code, out, err = host.run(agent, "status", "--json")
    assert code == 0, f"{host.name}: belay-agent status: exit {code}: {err}"
    return json.loads(out)["transactions"]


def settle(host):
    """Waits until nothing is open. What nobody owns any more is ended as at the next boot."""
    end = time.monotonic() + SETTLED
    while open_ones := [one for one in transactions(host) if one.get("open", True)]:
        assert time.monotonic() < end, f"{host.name}: still open: {open_ones}"
        if not any(one.get("kept") for one in open_ones):
            time.sleep(1.5)  # one that was killed may be about to be started anew
            if not any(one.get("kept") for one in transactions(host)):
                recover(host)
        time.sleep(0.1)


def host_is_whole(host, before, wanted):
    """The profile is what was recorded or what somebody wanted, and its activation ran last."""
    check.reachable(host)
    wait_until(lambda: not check.agents(host), f"{host.name}: no agent left, but "
               f"{check.agents(host)}", 90)
    now = check.installed(host)
    version = now and now[1]
    assert version in {before.version, *wanted}, \
        f"{host.name}: {now} is neither {before.version} nor any of {wanted}"
    if version:
        check.equal(check.activated(host)[-1], version, f"{host.name}: last activation")
    missing = before.generations - generations(host)
    assert not missing, f"{host.name}: generations {missing} are gone"
    return version


def generations(host):
    return set(check.generations(host)) if host.path("/nix/var/nix/profiles").exists() else set()


def told_the_truth(run, hosts, before, now, wanted, others):
    """Every verdict of a run, against what the hosts are now. `wanted`: by host's name, what the run
    deployed; `others`: what other runs did, before or after this one."""
    for host in hosts:
        ends = run.select("node.finished", node=host.name)
        if not ends:
            continue
        end, mine, was = ends[0]["data"], wanted[host.name], before[host.name].version
        seen, what = now[host.name], f"{host.name} is at {now[host.name]}, was told {ends[0]['data']}"
        if end["outcome"] == "success":
            assert seen in {mine, *others}, f"a wrong green: {what}"
            assert mine in check.activated(host), f"green, never activated: {what}"
        elif end["outcome"] == "failure" and end["rollback"] == "succeeded":
            assert seen in {was, *others}, f"a wrong rollback: {what}"
        elif end["outcome"] == "skipped":
            assert seen in {was, *others}, f"skipped, yet touched: {what}"
        elif end["rollback"] == "none" and not end["changed"] and end["outcome"] != "cancelled":
            assert seen in {was, *others}, f"unchanged, yet changed: {what}"


def killed(run):
    """A run that had no say in its end: what it wrote is whole up to there, which may be all."""
    events = run.events()
    check.equal([event["seq"] for event in events], list(range(1, len(events) + 1)), "seq")
    if over := run.select("run.finished"):
        check.equal(over[0]["seq"], len(events), "killed on its way out, and its last event")


def reports_are_whole(run):
    if run.exit_code == -9:
        killed(run)
    else:
        check.ended(run, run.exit_code)
        _exit_code_is_the_worst(run)


def _exit_code_is_the_worst(run):
    ends = [event["data"] for event in run.select("node.finished")]
    good = bool(ends) and all(end["outcome"] == "success" for end in ends)
    stopped = bool(run.select("cancel.requested"))
    assert (run.exit_code == 0) == (good and not stopped), f"exit {run.exit_code} with {ends}"
    if any(end["rollback"] in ("failed", "unknown") and end["outcome"] != "cancelled"
           for end in ends) and not stopped:
        check.equal(run.exit_code, 12, f"exit code with {ends}")
