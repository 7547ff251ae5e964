#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command on a terminal of its own and keeps what it writes, with the times.

    cast.py [--columns N] [--rows N] FILE -- COMMAND...

FILE is an asciicast (version 2): a header, then a line of JSON for each piece of output.
"""

import argparse
import codecs
import fcntl
import json
import os
import pty
import struct
import sys
import termios
import time


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--columns", type=int, default=80)
    parser.add_argument("--rows", type=int, default=24)
    parser.add_argument("file")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    child, terminal = pty.fork()
    if child == 0:
        environment = {name: value for name, value in os.environ.items()
                       if name not in ("CI", "NO_COLOR")}
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", options.rows, options.columns, 0, 0))
        os.execvpe(options.command[0], options.command,
                   {**environment, "TERM": "xterm-256color"})
    with open(options.file, "w", encoding="utf-8") as cast:
        print(json.dumps({"version": 2, "width": options.columns, "height": options.rows}),
              file=cast)
        for seconds, text in output(terminal):
            print(json.dumps([round(seconds, 3), "o", text], ensure_ascii=False), file=cast)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def output(terminal):
    """(seconds since the start, text), until the other side is closed."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    start = time.monotonic()
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # Linux: EIO
            return
        if not piece:
            return
        if text := decoder.decode(piece):
            yield time.monotonic() - start, text


if __name__ == "__main__":
    main()
