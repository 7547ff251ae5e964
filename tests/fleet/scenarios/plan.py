# SPDX-License-Identifier: Apache-2.0
"""What a person or a flake wrote is checked before anything happens, and never run."""

import re

from fleet import check
from fleet.flake import node, package, profile
from fleet.fleet import hosts
from fleet.runner import deploy

THREE_MISTAKES = """\
version: 1
paralel: 4
settings: {confirmTimeout: soon}
nodes: {web-9: {skip: true}}
"""
HOSTILE = "a\"b'c$(touch /pwned)`touch /pwned`${throw \"pwned\"}; touch /pwned\nx \\y é"


@hosts(1)
def three_mistakes(fleet):
    [web] = fleet
    run = check.ended(deploy({"web-1": node(web, package("one"))}, plan=THREE_MISTAKES), 3)
    errors = [line for line in run.console().splitlines() if ": error: " in line]
    check.equal([re.match(r"belay\.yaml:(\d):\d+: error: ", line).group(1) for line in errors],
                ["2", "3", "4"], "lines with errors")
    assert 'unknown key "paralel"; did you mean "parallel"?' in errors[0], errors[0]
    check.equal(len(run.select("diagnostic", severity="error")), 3, "diagnostics")
    check.untouched(web)
    assert "Accepted" not in web.read("/var/log/sshd.log"), "somebody logged in"


@hosts(1)
def hostile_names(fleet):
    [web] = fleet
    nodes = {HOSTILE: node(web, profiles={
        HOSTILE.replace("/", "|"): profile(package("one")), "system": profile(package("two"))})}
    run = check.ended(deploy(nodes), 0)
    check.equal([entry["id"] for entry in run.select("run.finished")[0]["data"]["nodes"]],
                [HOSTILE], "the node's id")
    check.equal(sorted(check.activated(web)), ["one", "two"], "activations")
    for place in [web.root, run.folder, web.root / "root", web.root / "tmp"]:
        assert not (place / "pwned").exists(), f"the name was run: {place}/pwned"
