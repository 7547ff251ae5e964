# SPDX-License-Identifier: Apache-2.0
"""The Debian 13 tree: another release of Nix, for hosts and for the runner.

tests/setup/debian-tree.sh makes it, outside the repository, and nothing here writes to it. Whatever
needs it is left out where it is not.
"""

import os
import pathlib

from . import world

RUNNER = world.FLEET / "debian13"


def tree():
    """Its root folder. Leaves the scenario out where there is none."""
    folder = pathlib.Path(os.environ.get(world.TREE) or "/nonexistent")
    if not folder.is_dir():
        world.leave_out("there is no Debian 13 tree; tests/setup/debian-tree.sh makes it, as root")
    return folder


def use_its_nix():
    """From here on the runner's Nix is the tree's. Each of its programs runs with all that the
    runner has, under the same paths, but on the tree's /usr."""
    root = RUNNER / "root"
    root.mkdir(parents=True)
    world.run("mount", "--rbind", "/", root)
    world.run("mount", "--bind", tree() / "usr", root / "usr")
    world.run("mount", "--bind", tree() / "etc/ld.so.cache", root / "etc/ld.so.cache")
    programs = RUNNER / "bin"
    programs.mkdir()
    for program in (tree() / "usr/bin").glob("nix*"):
        wrapper = programs / program.name
        wrapper.write_text(f'#!/bin/sh\nexec chroot {root} /usr/bin/env --chdir="$PWD" '
                           f'/usr/bin/{program.name} "$@"\n')
        wrapper.chmod(0o755)
    os.environ["PATH"] = f"{programs}:{world.SYSTEM_PATH}"
