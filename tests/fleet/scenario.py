#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs scenarios of tests/fleet/scenarios, each with hosts of its own.

    scenario.py --list               names of all
    scenario.py FILE.FUNCTION        one of them; BELAY_BIN is the belay to test,
                                     build/dev/bin/belay unless given
    scenario.py FILE.FUNCTION@A-B    with the Nix of A at the runner and of B on the hosts: `own` is
                                     this machine's, `debian13` that of the Debian 13 tree

A scenario is a function with the hosts that it wants; it gets the fleet.
"""

import functools
import importlib
import os
import pathlib
import re
import sys
import traceback

from fleet import debian13, runner, world
from fleet.fleet import Fleet
from fleet.host import Host

HERE = pathlib.Path(__file__).resolve().parent


COMBINATIONS = ["own-debian13", "debian13-own", "debian13-debian13"]
SCENARIO = re.compile(r"^(@each_nix\n)?@hosts\(.*\)\ndef (\w+)", re.MULTILINE)


def names():
    for path in sorted((HERE / "scenarios").glob("*.py")):
        for each_nix, function in SCENARIO.findall(path.read_text()):
            yield f"{path.stem}.{function}"
            if each_nix:
                yield from (f"{path.stem}.{function}@{both}" for both in COMBINATIONS)


def main():
    [name] = sys.argv[1:]
    if name == "--list":
        print("\n".join(names()))
        return
    os.environ["BELAY_BIN"] = os.path.abspath(
        os.environ.get("BELAY_BIN", world.REPOSITORY / "build/dev/bin/belay"))
    world.enter(keep=[pathlib.Path(os.environ["BELAY_BIN"]).parent])
    path, _, releases = name.partition("@")
    module, function = path.split(".")
    scenario = getattr(importlib.import_module(f"scenarios.{module}"), function)
    fleet = with_releases(scenario, *releases.split("-")) if releases else scenario.make_fleet()
    try:
        scenario(fleet)
    except Exception:
        tell_all(fleet)
        traceback.print_exc()
        sys.exit(1)


def with_releases(scenario, at_runner, on_hosts):
    if at_runner == "debian13":
        debian13.use_its_nix()
    programs = debian13.tree() if on_hosts == "debian13" else "/"
    fleet = Fleet(scenario.hosts, make_host=functools.partial(Host, programs=programs))
    print("runner:", world.run("nix", "--version").strip(),
          "; hosts:", fleet["web-1"].output("nix", "--version").strip())
    return fleet


def tell_all(fleet):
    """What one wants to see of a scenario that failed; it is gone with the hosts."""
    for folder in sorted(runner.FOLDER.glob("out-*")):
        for name in ["console", "events.jsonl"]:
            path = folder / name
            if path.exists():
                heading(f"{folder.name}/{name}", path.read_text(errors="replace"))
    for host in fleet:
        heading(f"{host.name}: processes, profiles, transactions", host.run(
            "sh", "-c", "ps -eo pid,ppid,stat,etimes,args; ls -l /nix/var/nix/profiles;"
            "find /nix/var/nix/belay /home/*/.local/state/belay -type f | while read -r file; do"
            " echo \"--- $file\"; head -c 4000 \"$file\"; done 2>&1")[1])
        heading(f"{host.name}: sshd", host.read("/var/log/sshd.log")[-2000:])
        heading(f"{host.name}: activations", host.read("/var/lib/activated"))


def heading(title, text):
    print(f"==== {title}\n{text.rstrip()}", flush=True)


if __name__ == "__main__":
    main()
