#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs scenarios of tests/fleet/scenarios, each with hosts of its own.

    scenario.py --list               names of all
    scenario.py FILE.FUNCTION        one of them; BELAY_BIN is the belay to test,
                                     build/dev/bin/belay unless given

A scenario is a function with the number of hosts that it wants; it gets the fleet.
"""

import importlib
import os
import pathlib
import re
import sys
import traceback

from fleet import runner, world
from fleet.fleet import Fleet

HERE = pathlib.Path(__file__).resolve().parent


def names():
    for path in sorted((HERE / "scenarios").glob("*.py")):
        for found in re.finditer(r"^@hosts\(\d+\)\ndef (\w+)", path.read_text(), re.MULTILINE):
            yield f"{path.stem}.{found.group(1)}"


def main():
    [name] = sys.argv[1:]
    if name == "--list":
        print("\n".join(names()))
        return
    os.environ["BELAY_BIN"] = os.path.abspath(
        os.environ.get("BELAY_BIN", world.REPOSITORY / "build/dev/bin/belay"))
    world.enter(keep=[pathlib.Path(os.environ["BELAY_BIN"]).parent])
    module, function = name.split(".")
    scenario = getattr(importlib.import_module(f"scenarios.{module}"), function)
    fleet = Fleet(scenario.hosts)
    try:
        scenario(fleet)
    except Exception:
        tell_all(fleet)
        traceback.print_exc()
        sys.exit(1)


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
