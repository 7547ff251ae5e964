#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Debian package of this build, on a Debian 12 that has nothing but the base system and no
network: apt installs it with what it depends on, it runs, and it goes without a trace.

    deb_test.py NAME BUILD_FOLDER      one of the functions below
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import place

INSIDE = "BELAY_INSTALL_TEST_INSIDE"
OFFLINE = ["unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child",
           "--mount-proc"]
NIX = {"NIX_CONFIG": "experimental-features = nix-command flakes\nsandbox = false\n"
                     "substituters =\nbuild-users-group =\n"}


class Debian12:
    """A layer over the tree that tests/setup/debian-tree.sh makes. It is gone with this process'
    namespaces."""

    def __init__(self, tree, work):
        place.run("mount", "-t", "tmpfs", "tmpfs", work)
        self.root, changes, rest = work / "root", work / "changes", work / "rest"
        for folder in (self.root, changes, rest):
            folder.mkdir()
        place.run("mount", "-t", "overlay", "overlay", "-o",
                  f"lowerdir={tree},upperdir={changes},workdir={rest}", self.root)
        place.run("mount", "-t", "proc", "proc", self.root / "proc")
        place.run("mount", "--bind", "/dev", self.root / "dev")

    def run(self, *command, environment=(), **options):
        return place.run("chroot", self.root, "env", "-i", "HOME=/root", "LANG=C.UTF-8",
                         "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive",
                         *(f"{name}={value}" for name, value in dict(environment).items()),
                         *command, **options)

    def install(self, *packages):
        # The sandbox's user could not read what lies in /root.
        self.run("apt-get", "-q", "-y", "-o", "APT::Sandbox::User=root",
                 "--no-install-recommends", "install", *packages)


def installs_runs_and_goes(build, work):
    place.require("cpack", "dpkg-deb", "dpkg-shlibdeps")
    tree = pathlib.Path(place.run("bash", place.REPOSITORY / "tests/setup/debian-tree.sh", "--path",
                                  "bookworm").strip())
    if not tree.is_dir():
        place.leave_out("there is no Debian 12 tree; tests/setup/debian-tree.sh bookworm makes it")
    debian = Debian12(tree, work)
    package = make_package(build, work)

    place.equal(place.run("dpkg-deb", "-f", package, "Package", "Section", "Priority"),
                "Package: belay\nSection: admin\nPriority: optional\n", "what the package says")
    inside = "/root/" + package.name
    shutil.copy(package, debian.root / "root")
    debian.install(inside)
    version = place.run("dpkg-deb", "-f", package, "Version").strip()
    place.equal(debian.run("belay", "--version").split()[-1], version, "version")
    agent = f"/usr/share/belay/agents/{place.system()}/belay-agent"
    assert f" {version} ({place.system()})" in debian.run(agent, "--version"), "the agent"

    flake = debian.root / "root/flake"
    flake.mkdir()
    (flake / "flake.nix").write_text(place.FLAKE)
    plan = ["belay", "plan", "/root/flake"]
    complaint = debian.run(*plan, environment=NIX, fails=True)
    assert "nix" in complaint, f"without Nix it says only {complaint!r}"
    debian.install("nix-bin", "openssh-client")
    assert "web-1" in debian.run(*plan, environment=NIX), "the plan"
    debian.run("belay", "check", "/root/flake", environment=NIX)

    place.equal(debian.run("dpkg", "--verify", "belay"), "", "files that are not as they were")
    debian.run("dpkg", "--purge", "belay")
    left = re.findall(r"^.*belay.*$", debian.run("find", "/usr", "/etc", "/var/lib"), re.MULTILINE)
    place.equal(left, [], "what the package leaves behind")


def make_package(build, work):
    place.run("cpack", "-G", "DEB", "-B", work / "packages", cwd=build)
    [package] = (work / "packages").glob("*.deb")
    return package


def require_namespaces():
    tried = subprocess.run([*OFFLINE, "mount", "-t", "tmpfs", "none", "/run"], text=True,
                           check=False, stdin=subprocess.DEVNULL, capture_output=True)
    if tried.returncode != 0:
        place.leave_out(f"no namespaces of its own: {tried.stderr.strip()}")


TESTS = [installs_runs_and_goes]


def main():
    name, build = sys.argv[1:]
    [test] = [test for test in TESTS if test.__name__ == name]
    if os.geteuid() != 0:
        place.leave_out("only root can install a package")
    if INSIDE not in os.environ:
        require_namespaces()
        os.environ[INSIDE] = "yes"
        os.execvp(OFFLINE[0], [*OFFLINE, sys.executable, *sys.argv])
    with place.folder() as work:
        (work / "layer").mkdir()
        try:
            test(pathlib.Path(build), work / "layer")
        finally:
            if os.path.ismount(work / "layer"):
                place.run("umount", "-R", work / "layer")


if __name__ == "__main__":
    main()
