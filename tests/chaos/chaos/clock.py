# SPDX-License-Identifier: Apache-2.0
"""Times of day that can be stepped: each host's, and the runner's. See stepped_clock.c for how."""

import contextlib
import os
import pathlib
import shutil
import struct

from fleet import world

SOURCE = pathlib.Path(__file__).resolve().parent / "stepped_clock.c"
LIBRARY = world.FLEET / "stepped_clock.so"
OF_RUNNER = world.FLEET / "stepped-clock"
OF_HOST = "/etc/stepped-clock"


def give_runner():
    """Every program that is started from now on has it."""
    world.run("cc", "-O1", "-shared", "-fPIC", "-o", LIBRARY, SOURCE)
    _set(OF_RUNNER, 0)
    os.environ.update(LD_PRELOAD=str(LIBRARY), STEPPED_CLOCK=str(OF_RUNNER))


def give_host(host):
    """Before its first boot: what is linked statically is not reached."""
    shutil.copy(LIBRARY, host.path("/var/lib/stepped_clock.so"))
    _set(host.path(OF_HOST), 0)
    host.path("/etc/ld.so.preload").write_text("/var/lib/stepped_clock.so\n")


@contextlib.contextmanager
def stepped(file, seconds):
    _set(file, seconds)
    try:
        yield
    finally:
        _set(file, 0)


def _set(file, seconds):
    """In place: it is mapped by whoever runs already."""
    with open(file, "r+b" if file.exists() else "xb") as offset:
        offset.write(struct.pack("q", seconds))
