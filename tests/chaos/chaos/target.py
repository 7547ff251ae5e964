# SPDX-License-Identifier: Apache-2.0
"""What a host says of itself: its transactions, its profile, what its scripts did, what is left."""

import collections
import json
import os
import pathlib
import re
import shutil
import time

from chaos.processes import agent_of
from fleet import check
from fleet.flake import package
from fleet.runner import wait_until

SETTLED = 150
"""Seconds in which every target has decided: script and its killing, confirm time, the lock's minute,
the keeper's minute."""
STEPS = "/var/lib/steps"
OWN_AGENT = "/var/lib/belay-agent"
"""For looking where a collected store has none any more."""
FOLDERS = {"system": "/nix/var/nix/profiles", "home": "/nix/var/nix/profiles/per-user/root"}


def named(version, profile):
    """What a version is called in what that profile's scripts leave."""
    return version if profile == "system" else f"{version}-{profile}"


def tried(version, script):
    """A closure whose script also says when it begins and when it has come to its end."""
    return package(version, f"echo begin {version} >>{STEPS}\n{script}"
                            f"echo end {version} >>{STEPS}\n")


def give_agent(host):
    shutil.copy(pathlib.Path(os.environ["BELAY_BIN"]).parent / "belay-agent", host.path(OWN_AGENT))


def transactions(host):
    """As the agent itself tells them."""
    code, out, err = host.run(agent_of(host) or OWN_AGENT, "status", "--json")
    assert code == 0, f"{host.name}: belay-agent status: exit {code}: {err}"
    return json.loads(out)["transactions"]


def settle(host, may_be_orphans):
    """Waits until nothing is open. What a fault left without an owner is ended as at the next boot;
    what nobody has touched yet may wait for the next deploy."""
    end = time.monotonic() + SETTLED
    while open_ones := [one for one in transactions(host) if one.get("open", True)]:
        assert time.monotonic() < end, f"{host.name}: still open: {open_ones}"
        if orphans := _orphans(host):
            assert may_be_orphans or _untouched(orphans), f"{host.name}: nobody keeps {orphans}"
            recover(host)
        time.sleep(0.1)


def _orphans(host):
    """What is open, where nobody has kept any of it for some seconds: a keeper that was killed may be
    about to be started anew."""
    for _ in range(10):
        open_ones = [one for one in transactions(host) if one.get("open", True)]
        if not open_ones or any(one.get("kept") for one in open_ones):
            return []
        time.sleep(0.4)
    return open_ones


def _untouched(ones):
    return all(profile["state"] == "prepared" for one in ones for profile in one["profiles"])


def recover(host):
    """What the boot unit would run."""
    if agent := agent_of(host):
        code, _, err = host.run(agent, "recover", timeout=120)
        assert code == 0, f"{host.name}: recover: exit {code}: {err}"


def states(host, run):
    """How the transactions of a run ended on a host: the states that it was left in, by profile."""
    events, found = run.events(), collections.defaultdict(set)
    for one in transactions(host):
        if events and one.get("run") == events[0]["run"]:
            for profile in one["profiles"]:
                found[profile["name"]].add(profile["state"])
    return found


def version(host, profile):
    now = check.installed(host, profile)
    return now and now[1]


def generations(host, profile):
    """Where each generation leads, by its number."""
    folder = host.path(FOLDERS[profile])
    links = folder.glob(f"{profile}-*-link") if folder.exists() else []
    return {int(re.search(r"-(\d+)-link$", link.name).group(1)): os.readlink(link) for link in links}


def steps(host, profile):
    """What the scripts of a profile left, in order: `begin VERSION` and `end VERSION`."""
    return [line for line in host.read(STEPS).splitlines()
            if line.endswith("-home") == (profile == "home")]


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
