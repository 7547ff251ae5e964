# SPDX-License-Identifier: Apache-2.0
"""An installed belay finds all that it needs beside itself."""

import os
import pathlib

from fleet import check, runner, world
from fleet.flake import node, package
from fleet.fleet import hosts
from fleet.runner import deploy


@hosts(1)
def deploys_from_a_moved_prefix(fleet):
    [web] = fleet
    build = pathlib.Path(os.environ["BELAY_BIN"]).parents[1]
    made, prefix = runner.FOLDER / "made", runner.FOLDER / "moved to"
    world.run("cmake", "--install", build, "--prefix", made, "--component", "runner")
    made.rename(prefix)
    os.environ["BELAY_BIN"] = str(prefix / "bin/belay")
    check.ended(deploy({"web-1": node(web, package("one"))}), 0)
    check.runs(web, 1, "one", "one")

    agent, = (prefix / "share/belay/agents").glob("*/belay-agent")
    agent.unlink()
    alone = check.ended(deploy({"web-1": node(web, package("two"))}), 22)
    assert "there is no belay-agent for" in alone.console(), alone.console()
    check.runs(web, 1, "one", "one")
