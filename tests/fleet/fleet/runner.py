# SPDX-License-Identifier: Apache-2.0
"""Runs belay as a CI job would, and reads what it left: exit code, events, JUnit, console."""

import json
import os
import pathlib
import signal
import subprocess
import time
import xml.etree.ElementTree

from . import flake, world

FOLDER = world.FLEET / "work"
PATIENCE = 60
"""Seconds after which a run that does not end is a failure in itself."""


class Run:
    """One `belay run` in a folder with a flake, from its start."""

    count = 0

    def __init__(self, folder, *arguments, terminal=None, answers=False, checks=False):
        """`terminal`: a descriptor that belay gets as its stderr, as in a person's shell; with
        `answers` as its stdin, too. `checks`: the flake's checks are made first."""
        Run.count += 1
        self.folder = pathlib.Path(folder)
        self.out = FOLDER / f"out-{Run.count}"
        self.out.mkdir(parents=True)
        self.exit_code = None
        reports = ["--events", self.out / "events.jsonl", "--junit", self.out / "junit.xml"]
        with open(self.out / "console", "w", encoding="utf-8") as console:
            self.process = subprocess.Popen(
                [binary(), "run", *reports, *([] if checks else ["--skip-checks"]), *arguments],
                cwd=folder, env=_environment(terminal),
                stdin=terminal if answers else subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=console if terminal is None else terminal)

    def wait(self):
        try:
            self.stdout = self.process.communicate(timeout=PATIENCE)[0].decode()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise AssertionError(f"belay did not end within {PATIENCE} s") from None
        self.exit_code = self.process.returncode
        return self

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        return self

    def console(self):
        return (self.out / "console").read_text(errors="replace")

    def events(self):
        """The whole lines so far."""
        path = self.out / "events.jsonl"
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def select(self, kind, **wanted):
        """The events of a type whose envelope or data has the wanted values."""
        return [event for event in self.events() if event["type"] == kind and all(
            event.get(name, event["data"].get(name)) == value for name, value in wanted.items())]

    def wait_for(self, kind, **wanted):
        """Waits for such an event and returns it."""
        found = wait_until(lambda: self.select(kind, **wanted) or self.process.poll() is not None,
                           f"event {kind} {wanted}")
        if found is True:
            raise AssertionError(f"belay ended without an event {kind} {wanted}")
        return found[0]

    def node(self, name):
        """How a node ended: the data of its node.finished."""
        finished = self.select("node.finished", node=name)
        assert len(finished) == 1, f"{len(finished)} times node.finished of {name!r}"
        return finished[0]["data"]

    def cases(self):
        """JUnit: (suite, case) -> "passed", or the tag and type of what it is instead."""
        found = {}
        for suite in xml.etree.ElementTree.parse(self.out / "junit.xml").iter("testsuite"):
            for case in suite.iter("testcase"):
                verdict = [child for child in case if child.tag in ("failure", "error", "skipped")]
                found[suite.get("name"), case.get("name")] = " ".join(
                    [verdict[0].tag, verdict[0].get("type", "")]).strip() if verdict else "passed"
        return found


def _environment(terminal):
    if terminal is None:
        return None
    return {name: value for name, value in os.environ.items() if name != "CI"} | {"TERM": "xterm"}


def binary():
    return os.environ["BELAY_BIN"]


def start(nodes, *arguments, plan=None, checks=False, **settings):
    """Writes a flake with these nodes (and a belay.yaml) and starts to deploy it."""
    folder = flake.write(FOLDER / "flake", nodes, **settings)
    if plan is None:
        (folder / "belay.yaml").unlink(missing_ok=True)
    else:
        (folder / "belay.yaml").write_text(plan)
    return Run(folder, *arguments, checks=checks)


def deploy(nodes, *arguments, **settings):
    """The same, to its end."""
    return start(nodes, *arguments, **settings).wait()


def plan(folder, *arguments):
    """What `belay plan` prints as JSON; it evaluates, and touches no host."""
    done = subprocess.run([binary(), "plan", "--format", "json", *arguments], cwd=folder,
                          capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 0, f"belay plan: exit {done.returncode}\n{done.stderr}"
    return json.loads(done.stdout)


def wait_until(condition, what, seconds=PATIENCE):
    """Waits until `condition()` is true; returns its value."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)
    return value
