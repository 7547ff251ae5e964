# SPDX-License-Identifier: Apache-2.0
"""A plan is written down, looked at, and deployed: exactly that, or nothing."""

import json
import os
import subprocess

from fleet import check, flake
from fleet.flake import node, package
from fleet.fleet import hosts
from fleet.host import SYSTEM
from fleet.runner import FOLDER, Run, binary
from scenarios.checks import checks
from scenarios.terminal import Terminal

FLAKE = FOLDER / "flake"


def plan(nodes, *arguments, **settings):
    """Writes a flake of its own revision and the artifact of it; returns what belay plan said."""
    flake.write(FLAKE, nodes, **settings)
    commit()
    done = subprocess.run([binary(), "plan", "--out", "plan.json", *arguments], cwd=FLAKE,
                          check=False, capture_output=True, text=True)
    check.equal(done.returncode, 0, f"exit code of belay plan ({done.stderr})")
    return done


def commit():
    identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@localhost"]
    if not (FLAKE / ".git").exists():
        subprocess.run(["git", "init", "-q", "."], cwd=FLAKE, check=True)
    subprocess.run(["git", "add", "flake.nix"], cwd=FLAKE, check=True)
    subprocess.run(["git", *identity, "commit", "-q", "--allow-empty", "-m", "a change"], cwd=FLAKE,
                   check=True)


def artifact():
    return json.loads((FLAKE / "plan.json").read_text())


def paths():
    return {(each["id"], profile["name"]): profile["path"] for each in artifact()["plan"]["nodes"]
            for profile in each["profiles"]}


def deploy(*arguments):
    return Run(FLAKE, "--plan-artifact", "plan.json", *arguments).wait()


def collect_garbage():
    subprocess.run(["nix-store", "--gc"], check=True, capture_output=True)


def closure(host):
    """What the host's profile leads to."""
    profiles = host.path("/nix/var/nix/profiles")
    return os.readlink(profiles / os.readlink(profiles / "system"))


@hosts(2)
def what_was_reviewed_is_deployed_without_a_flake(fleet):
    nodes = {host.name: node(host, package("one")) for host in fleet}
    said = plan(nodes)
    assert "wrote plan.json" in said.stderr, said.stderr
    (FLAKE / "flake.nix").write_text("throw \"who reads this?\"")
    (FLAKE / ".git").rename(FOLDER / "git-away")
    run = check.ended(deploy(), 0)
    (FOLDER / "git-away").rename(FLAKE / ".git")
    for host in fleet:
        check.runs(host, 1, "one", "one")
        check.equal(closure(host), paths()[host.name, "system"], "the path on the host")
    check.equal(run.select("run.started")[0]["data"]["plan"]["path"], "plan.json", "the plan")


@hosts(1)
def garbage_is_evaluated_again_as_it_was_locked(fleet):
    [web] = fleet
    plan({"web-1": node(web, package("one"))})
    planned = paths()["web-1", "system"]
    flake.write(FLAKE, {"web-1": node(web, package("two"))})  # what has come since
    commit()
    collect_garbage()
    assert not os.path.lexists(planned), "there was no garbage"
    check.ended(deploy(), 0)
    check.runs(web, 1, "one", "one")
    check.equal(closure(web), planned, "the path on the host")


@hosts(1)
def another_path_of_the_same_flake_is_refused(fleet):
    [web] = fleet
    impure = flake.Expression(
        "package \"app-impure\" (\"echo ${builtins.getEnv \"FLEET_VERSION\"} >>/var/lib/activated\\n\") null")
    os.environ["FLEET_VERSION"] = "one"
    plan({"web-1": node(web, impure)}, "--", "--impure")
    planned = paths()["web-1", "system"]
    collect_garbage()
    os.environ["FLEET_VERSION"] = "two"
    run = check.ended(deploy("--", "--impure"), 20)
    said = run.console()
    for part in ["node \"web-1\", profile \"system\"", planned]:
        assert part in said, said
    assert said.count("/nix/store/") >= 2, said
    check.untouched(web)
    os.environ["FLEET_VERSION"] = "one"
    check.ended(deploy("--", "--impure"), 0)
    check.equal(closure(web), planned, "the path on the host")


@hosts(1)
def changed_or_foreign_is_refused(fleet):
    [web] = fleet
    plan({"web-1": node(web, package("one"))})
    good = (FLAKE / "plan.json").read_text()
    printed = subprocess.run([binary(), "plan", "--format", "json"], cwd=FLAKE, check=True,
                             capture_output=True, text=True).stdout
    for text, part in [
            (good.replace("\"parallel\": 8", "\"parallel\": 9"), "was changed or cut off"),
            (good[:len(good) // 2], "was changed or cut off"),
            (good.replace("\"version\": 1,\n  \"belay\"", "\"version\": 7,\n  \"belay\""), "version 7"),
            (printed, "what belay plan --format json prints"),
            ("version: 1\n", "is no plan artifact")]:
        assert text != good, part
        (FLAKE / "plan.json").write_text(text)
        run = check.ended(deploy(), 3)
        assert part in run.console(), run.console()
    check.untouched(web)
    assert "Accepted" not in web.read("/var/log/sshd.log"), "somebody logged in"


@hosts(1)
def the_checks_are_made_for_the_artifact(fleet):
    """One that fails is named and leaves no artifact; the deploy says whether they were made."""
    [web] = fleet
    nodes, bad = {"web-1": node(web, package("one"))}, checks(bad="exit 3")
    flake.write(FLAKE, nodes, outputs=bad)
    commit()
    (FLAKE / "plan.json").unlink(missing_ok=True)
    done = subprocess.run([binary(), "plan", "--out", "plan.json"], cwd=FLAKE, check=False,
                          capture_output=True, text=True)
    check.equal(done.returncode, 20, f"exit code of belay plan ({done.stderr})")
    assert f"error: checks.{SYSTEM}.bad of . failed: " in done.stderr, done.stderr
    assert not (FLAKE / "plan.json").exists(), "an artifact was written"
    said = plan(nodes, "--skip-checks", outputs=bad)
    assert "warning: the flake's checks were not made" in said.stderr, said.stderr
    check.equal(artifact()["checks"], "skipped", "checks in the artifact")
    run = check.ended(deploy(), 0)
    assert "warning: the flake's checks were not made" in run.console(), run.console()
    said = plan(nodes, outputs=checks(good="echo >$out"))
    assert "checking .\n" in said.stderr, said.stderr
    check.equal(artifact()["checks"], "made", "checks in the artifact")
    run = check.ended(deploy(), 0)
    assert "made, and good, when the artifact was written" in run.console(), run.console()


@hosts(1)
def what_was_typed_before_the_question_is_no_answer(fleet):
    [web] = fleet
    terminal = Terminal()
    os.write(terminal.ours, b"y\n")
    run = terminal.deploy({"web-1": node(web, package("one"))}, "--interactive", answers=True)
    terminal.wait_for("Deploy this? [y/N]")
    os.write(terminal.ours, b"n\n")
    check.ended(run.wait(), 130)
    terminal.close()
    check.untouched(web)


@hosts(1)
def a_no_on_the_terminal_touches_nothing(fleet):
    [web] = fleet
    nodes = {"web-1": node(web, package("one"))}
    for answer, code in [(b"n\n", 130), (b"\n", 130), (b"\x04", 130), (b"y\n", 0)]:
        terminal = Terminal()
        run = terminal.deploy(nodes, "--interactive", answers=True)
        terminal.wait_for("Deploy this? [y/N]")
        terminal.wait_for("/nix/store/")
        check.untouched(web)
        os.write(terminal.ours, answer)
        check.ended(run.wait(), code)
        terminal.close()
        if code != 0:
            check.untouched(web)
            check.equal(run.node("web-1")["outcome"], "cancelled", "the outcome")
            check.equal(run.select("cancel.requested")[0]["data"]["source"], "user", "who cancelled")
    check.runs(web, 1, "one", "one")


@hosts(1)
def without_a_terminal_nobody_is_asked(fleet):
    [web] = fleet
    flake.write(FLAKE, {"web-1": node(web, package("one"))})
    run = Run(FLAKE, "--interactive").wait()
    check.equal(run.exit_code, 2, "exit code")
    assert "flag --interactive: there is nobody to ask, because stdin is no terminal" in \
        run.console(), run.console()
    check.equal(run.events(), [], "events")
    check.untouched(web)
