# SPDX-License-Identifier: Apache-2.0
"""What a host says of itself: its transactions, its profile, what its scripts did, what is left."""

import json
import os
import pathlib
import re
import time

from chaos.processes import agent_of
from fleet import check
from fleet.flake import package
from fleet.runner import wait_until

SETTLED = 150
"""Seconds in which every target has decided: script and its killing, confirm time, the lock's minute,
the keeper's minute."""
STEPS = "/var/lib/steps"


def tried(version, script):
    """A closure whose script also says when it begins and when it has come to its end."""
    return package(version, f"echo begin {version} >>{STEPS}\n{script}"
                            f"echo end {version} >>{STEPS}\n")


def transactions(host):
    """As the agent itself tells them; [] where there never was one."""
    agent = agent_of(host)
    if not agent:
        return []
    code, out, err = host.run(agent, "status", "--json")
    assert code == 0, f"{host.name}: belay-agent status: exit {code}: {err}"
    return json.loads(out)["transactions"]


def settle(host, may_be_orphans):
    """Waits until nothing is open. What a fault left without an owner is ended as at the next boot;
    what nobody has touched yet may wait for the next deploy."""
    end = time.monotonic() + SETTLED
    while open_ones := [one for one in transactions(host) if one.get("open", True)]:
        assert time.monotonic() < end, f"{host.name}: still open: {open_ones}"
        if not any(one.get("kept") for one in open_ones):
            time.sleep(2.5)  # one that was killed may be about to be started anew
            orphans = [one for one in transactions(host) if one.get("open", True)]
            if orphans and not any(one.get("kept") for one in orphans):
                assert may_be_orphans or _untouched(orphans), f"{host.name}: nobody keeps {orphans}"
                recover(host)
        time.sleep(0.1)


def _untouched(ones):
    return all(profile["state"] == "prepared" for one in ones for profile in one["profiles"])


def recover(host):
    """What the boot unit would run."""
    if agent := agent_of(host):
        code, _, err = host.run(agent, "recover", timeout=120)
        assert code == 0, f"{host.name}: recover: exit {code}: {err}"


def states(host, run):
    """How the transactions of a run ended on a host: the states of their profiles."""
    events = run.events()
    own = [one for one in transactions(host) if events and one.get("run") == events[0]["run"]]
    return {profile["state"] for one in own for profile in one["profiles"]}


def generations(host):
    """Where each generation leads, by its number."""
    folder = host.path("/nix/var/nix/profiles")
    links = folder.glob("system-*-link") if folder.exists() else []
    return {int(re.search(r"-(\d+)-link$", link.name).group(1)): os.readlink(link) for link in links}


def steps(host):
    return host.read(STEPS).splitlines()


def left_over(host):
    """Programs that a script started and that live: by its mark in their environment. The sshd that
    a script starts is there to stay, and what it forks inherits that."""
    found = {}
    for pid in host.output("sh", "-c", "grep -lsz ^BELAY_SCRIPT= /proc/[0-9]*/environ || :").split():
        folder = pathlib.Path(pid).parent
        line = host.run("cat", folder / "cmdline")[1]
        if line and not line.startswith(("sshd:", "/usr/sbin/sshd")):
            found[folder.name] = line.replace("\0", " ").strip()
    return found


def is_quiet(host):
    """Nothing of the agent's lives, nor of its scripts': one that ended well may leave a child, but
    the campaign's go by themselves within seconds; all else was to be stopped."""
    wait_until(lambda: not check.agents(host), f"{host.name}: no agent left, but "
               f"{check.agents(host)}", 90)
    wait_until(lambda: not left_over(host), f"{host.name}: nothing of a script left, but "
               f"{left_over(host)}", 10)
