# SPDX-License-Identifier: Apache-2.0
"""A folder for one test, a Nix that needs neither root nor network, and how a test is left out."""

import contextlib
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77
"""Exit code that ctest reads as "left out" (SKIP_RETURN_CODE)."""


def leave_out(why):
    print(f"left out: {why}", file=sys.stderr)
    sys.exit(SKIPPED)


def require(*programs):
    for program in programs:
        if not shutil.which(program):
            leave_out(f"there is no {program}; tests/run.sh installs it")


def run(*command, fails=False, **options):
    """stdout of a command that has to work; with `fails`, the stderr of one that must not."""
    done = subprocess.run([str(word) for word in command], text=True, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          **options)
    if (done.returncode != 0) != fails:
        raise AssertionError(f"{' '.join(map(str, command))}: exit {done.returncode}\n"
                             f"{done.stdout}{done.stderr}")
    return done.stderr if fails else done.stdout


def equal(found, wanted, what):
    if found != wanted:
        raise AssertionError(f"{what}: {found!r}, wanted {wanted!r}")


@contextlib.contextmanager
def folder():
    """Gone afterwards, also where Nix made it read-only."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="belay-install-test."))
    try:
        yield path
    finally:
        for parent, _folders, _files in os.walk(path):
            if not os.path.islink(parent):
                os.chmod(parent, 0o700)
        shutil.rmtree(path)


def private_nix(place):
    """The environment of a Nix whose store, state and configuration lie below `place`."""
    home = place / "home"
    home.mkdir()
    return {
        "PATH": os.environ["PATH"], "HOME": str(home), "XDG_CACHE_HOME": str(place / "cache"),
        "NIX_STORE_DIR": str(place / "store"), "NIX_STATE_DIR": str(place / "state"),
        "NIX_LOG_DIR": str(place / "log"), "NIX_LOCALSTATE_DIR": str(place / "localstate"),
        "NIX_CONF_DIR": str(place / "etc"), "NIX_USER_CONF_FILES": str(place / "user.conf"),
        "NIX_REMOTE": "local",
        "NIX_CONFIG": "experimental-features = nix-command flakes\nsandbox = false\n"
                      "substituters =\nbuild-users-group =\n",
    }


def system():
    """Nix's name for this machine's system."""
    return f"{platform.machine()}-{platform.system().lower()}"


FLAKE = """\
{
  outputs = { self }: {
    deploy.nodes.web-1 = {
      hostname = "web-1.invalid";
      profiles.system = {
        user = "root";
        path = derivation { name = "app"; system = "%s"; builder = "/bin/sh"; args = [ ]; };
      };
    };
  };
}
""" % system()
"""One node that exists nowhere: `plan` and `check` touch no host."""
