#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a command costs: prints wall-clock seconds, CPU seconds (of all that it started and awaited)
and the peak of its own memory in MB, separated by blanks.

    measure.py COMMAND...       its output goes nowhere; with its stderr if it fails

The peak is of the command's first process alone. wait4 would give the largest of its children,
which for a deploy is Nix, so it is read while the process lives; the kernel keeps the maximum, and
what the last 10 ms added is missed.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time


def peak_kilobytes(pid):
    try:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def main():
    with tempfile.TemporaryFile("w+") as errors:
        start = time.monotonic()
        process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=errors)
        peak, ended = [0], threading.Event()

        def watch():
            while not ended.wait(0.01):
                peak[0] = max(peak[0], peak_kilobytes(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        ended.set()
        watcher.join()
        code = os.waitstatus_to_exitcode(status)
        if code != 0:
            errors.seek(0)
            sys.exit(f"{' '.join(sys.argv[1:])}: exit {code}\n{errors.read()}")
        print(f"{wall:.3f} {usage.ru_utime + usage.ru_stime:.3f} {peak[0] / 1024:.1f}")


if __name__ == "__main__":
    main()
