#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command on a machine from which hosts can be reached, and takes the hosts away after it.

    with_fleet.py [--hosts N|NAME,NAME...] [--keep FOLDER]... [--nix debian13] -- COMMAND...

The hosts are web-1 … web-N, or have the given names; root's key is authorised on them and theirs
are known. Without a command: a shell. FLEET_HOSTS names the hosts, FLEET_PIDS are their first
processes in the same order (for nsenter).
"""

import argparse
import os
import subprocess
import sys

from fleet import debian13, world
from fleet.fleet import Fleet


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--hosts", default="3", metavar="N|NAME,NAME...")
    parser.add_argument("--keep", action="append", default=[], metavar="FOLDER",
                        help="stays visible although it is under /tmp or /run")
    parser.add_argument("--nix", choices=["own", "debian13"], default="own",
                        help="whose Nix the command finds in PATH")
    parser.add_argument("command", nargs="*", default=["bash"])
    options = parser.parse_args()
    folder = os.environ.setdefault("BELAY_FLEET_FROM", os.getcwd())
    world.enter(keep=[*options.keep, folder])
    os.chdir(folder)
    if options.nix == "debian13":
        debian13.use_its_nix()
    fleet = Fleet(int(options.hosts)) if options.hosts.isdigit() else Fleet(
        names=options.hosts.split(","))
    os.environ["FLEET_HOSTS"] = " ".join(host.name for host in fleet)
    os.environ["FLEET_PIDS"] = " ".join(str(host.init) for host in fleet)
    sys.exit(subprocess.run(options.command, check=False).returncode)


if __name__ == "__main__":
    main()
