# SPDX-License-Identifier: Apache-2.0
"""What a person sees who runs belay on a terminal."""

import codecs
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading

from fleet import check, flake, world
from fleet.flake import node, package
from fleet.fleet import hosts
from fleet.runner import FOLDER, Run, binary, deploy, wait_until

sys.path.append(str(world.REPOSITORY / "docs" / "pictures"))
from render import Screen  # pylint: disable=wrong-import-position

COLUMNS, ROWS = 200, 60
"""So large that nothing is wrapped and nothing scrolls away."""


WHOLE = re.compile(r"(.*?)((?:\x1b[^A-Za-z]*)?)\Z", re.DOTALL)
"""All up to a sequence of which the end is still to come."""


class Terminal:
    """A terminal with somebody who reads it."""

    def __init__(self):
        self.ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.screen, self.text = Screen(COLUMNS, ROWS), ""
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self):
        decoder, rest = codecs.getincrementaldecoder("utf-8")("replace"), ""
        while True:
            try:
                piece = decoder.decode(os.read(self.ours, 65536))
            except OSError:  # nobody has the other end any more
                return
            self.text += piece
            whole, rest = WHOLE.match(rest + piece).groups()
            self.screen.write(whole)

    def deploy(self, nodes, *arguments, answers=False):
        """`answers`: of somebody who also writes."""
        run = Run(flake.write(FOLDER / "flake", nodes), *arguments, terminal=self.theirs,
                  answers=answers)
        os.close(self.theirs)
        return run

    def close(self):
        self.thread.join()
        os.close(self.ours)

    def lines(self):
        lines = ["".join(text for _, text in runs).rstrip() for runs in self.screen.seen()]
        return "\n".join(lines).rstrip().split("\n")

    def wait_for(self, part):
        wait_until(lambda: any(part in line for line in self.lines()), f"{part!r} is seen")


def told_again(run):
    """The same run as a file has it."""
    return subprocess.run([binary(), "report", "--from", run.out / "events.jsonl"], check=False,
                          stderr=subprocess.PIPE, text=True).stderr.rstrip().split("\n")


@hosts(2)
def what_goes_on_is_seen_and_then_gone(fleet):
    terminal = Terminal()
    run = terminal.deploy({host.name: node(host, package("one", "sleep 2\n")) for host in fleet})
    terminal.wait_for("activating")
    terminal.wait_for("nodes     0 of 2 done, 2 at work")
    check.ended(run.wait(), 0)
    terminal.close()
    check.equal(terminal.lines(), told_again(run), "what is left on the terminal")
    check.equal(terminal.screen.wraps, True, "lines wrap again")
    assert "\x1b[32m" in terminal.text, "no colours on a terminal"


@hosts(1)
def a_signal_leaves_the_terminal_as_it_was(fleet):
    [web] = fleet
    terminal = Terminal()
    run = terminal.deploy({"web-1": node(web, package("one", "sleep 20\n"))}, "--grace", "2")
    terminal.wait_for("activating")
    check.ended(run.kill(signal.SIGINT).wait(), 130)
    terminal.close()
    check.equal(terminal.lines(), told_again(run), "what is left on the terminal")
    check.equal(terminal.screen.wraps, True, "lines wrap again")


@hosts(1)
def a_killed_run_leaves_no_mode_behind(fleet):
    [web] = fleet
    terminal = Terminal()
    run = terminal.deploy({"web-1": node(web, package("one", "sleep 20\n"))})
    terminal.wait_for("activating")
    run.kill().wait()
    terminal.close()
    check.equal(terminal.screen.wraps, True, "lines wrap again")
    assert "\x1b[?25" not in terminal.text, "the cursor was touched"
    check.reachable(web)


@hosts(1)
def events_that_were_damaged_are_told_as_far_as_they_go(fleet):
    [web] = fleet
    run = check.ended(deploy({"web-1": node(web, package("one"))}), 0)
    whole = told_again(run)
    events = run.out / "events.jsonl"
    lines = events.read_text().splitlines(keepends=True)
    last = next(i for i, line in enumerate(lines) if '"node.finished"' in line)
    events.write_text("".join([*lines[:last + 1], "{torn\n", *lines[last + 1:]]))
    told = told_again(run)
    assert told[:1] == whole[:1] and any("events.jsonl" in line for line in told), told
