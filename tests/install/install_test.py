#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `cmake --install` makes of a build works, and goes on working where the prefix is moved to.

    install_test.py NAME BUILD_FOLDER      one of the functions below
"""

import json
import os
import pathlib
import re
import stat
import sys

import place


def install(build, prefix):
    place.run("cmake", "--install", build, "--prefix", prefix)


def moved_prefix(build, work):
    """Program, agent and documentation, from a place that the build never heard of."""
    place.require("nix")
    install(build, work / "made")
    prefix = (work / "made").rename(work / "moved to")
    belay = prefix / "bin/belay"
    version = place.run(belay, "--version").split()[-1]

    agents = prefix / "share/belay/agents"
    place.equal(os.listdir(agents), [place.system()], "systems that there is an agent for")
    agent = agents / place.system() / "belay-agent"
    place.equal(stat.S_IMODE(agent.stat().st_mode), 0o755, "the agent's mode")
    place.equal(place.run(agent, "--version").strip(),
                f"belay-agent {version} ({place.system()})", "the agent's version")
    documentation = prefix / "share/doc/belay"
    for page in ["LICENSE", "copyright", "README.md", "docs/cli.md"]:
        assert (documentation / page).is_file(), f"{page} is not installed"

    page = (prefix / "share/man/man1/belay.1").read_text()
    place.equal(sorted(re.findall(r"^\.B belay (\w+)$", page, re.MULTILINE)),
                sorted(re.findall(r"^  (\w+)  +", place.run(belay, "--help").split("Verbs:")[1]
                                  .split("Examples:")[0], re.MULTILINE)), "verbs of the page")

    flake = work / "flake"
    flake.mkdir()
    (flake / "flake.nix").write_text(place.FLAKE)
    nix = place.private_nix(work)
    plan = json.loads(place.run(belay, "plan", "--format", "json", cwd=flake, env=nix))
    place.equal([node["host"] for node in plan["nodes"]], ["web-1.invalid"],
                "hosts of the plan")
    place.run(belay, "check", cwd=flake, env=nix)


def only_ours(build, work):
    """Nothing of a library that was compiled in, and nothing that names the build's place."""
    install(build, work)
    files = sorted(str(path.relative_to(work)) for path in work.rglob("*") if path.is_file())
    ours = ("bin/belay", "share/belay/agents/", "share/doc/belay/",
            "share/man/man1/belay.1", "include/belay/",
            "lib/belay/", "lib/cmake/belay/")
    place.equal([name for name in files if not name.startswith(ours)], [], "files of others")
    for name in files:
        if name.startswith("lib/cmake/"):
            assert str(build) not in (work / name).read_text(), f"{name} names the build folder"


def engine_package(build, work):
    """A project that finds the moved package configures, compiles, links and runs."""
    install(build, work / "made")
    prefix = (work / "made").rename(work / "moved to")
    if not (prefix / "lib/cmake/belay").exists():
        place.leave_out("this build fetched libraries, so that the engine is not installed")
    consumer, out = place.REPOSITORY / "tests/install/consumer", work / "out"
    out.mkdir()
    headers = sorted((prefix / "include/belay").rglob("*.h"))
    (out / "every_header.h").write_text("".join(
        f'#include "{header.relative_to(prefix / "include/belay")}"\n' for header in headers))
    place.run("cmake", "-G", "Ninja", "-S", consumer, "-B", out, f"-DCMAKE_PREFIX_PATH={prefix}")
    place.run("cmake", "--build", out)

    good, wrong = work / "good.yaml", work / "wrong.yaml"
    good.write_text("version: 1\nparallel: 4\n")
    wrong.write_text("version: 1\nparalel: 4\n")
    place.equal(place.run(out / "front_end", good), "x86_64-linux\n", "a plan without problems")
    place.run(out / "front_end", wrong, fails=True)


TESTS = [moved_prefix, only_ours, engine_package]


def main():
    name, build = sys.argv[1:]
    [test] = [test for test in TESTS if test.__name__ == name]
    with place.folder() as work:
        test(pathlib.Path(build), work)


if __name__ == "__main__":
    main()
