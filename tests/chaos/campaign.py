#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plays seeds of the fault campaign, several at once, each on a fleet of its own.

    campaign.py --seeds N [--first-seed S] [--jobs J] [--keep FOLDER]

Exits with 0 only if every seed held. What a failing seed said is in FOLDER (default: a new one
under /tmp), and its number with `--seeds 1 --first-seed NUMBER` plays it again: the same hosts,
scripts and faults at the same points, though never at the same microsecond.
"""

import argparse
import collections
import concurrent.futures
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PATIENCE = 600
LEFT_OUT = 77
KINDS = {"0": "green", "10": "red (10)", "11": "rolled back (11)", "12": "unknown (12)",
         "-9": "killed", "130": "stopped (130)", "143": "stopped (143)"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, required=True, metavar="N")
    parser.add_argument("--first-seed", type=int, default=1, metavar="S")
    parser.add_argument("--jobs", type=int, default=4, metavar="J", help="seeds at once (4)")
    parser.add_argument("--keep", type=pathlib.Path, metavar="FOLDER", help="for what failed")
    options = parser.parse_args()
    folder = options.keep or pathlib.Path(tempfile.mkdtemp(prefix="belay-chaos."))
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        played = dict(zip(seeds, pool.map(lambda seed: play(seed, folder), seeds)))
    ends = {seed: code for seed, (code, _) in played.items()}
    failed = [seed for seed, code in ends.items() if code not in (0, LEFT_OUT)]
    left_out = list(ends.values()).count(LEFT_OUT)
    if not failed and not options.keep and not left_out:
        folder.rmdir()
    print(f"chaos: seeds {seeds.start} to {seeds.stop - 1}: {len(seeds) - len(failed) - left_out} held, "
          f"{len(failed)} failed, {left_out} left out, {time.monotonic() - begun:.0f} s", flush=True)
    print("chaos: their deploys: " + kinds(said for _, said in played.values()), flush=True)
    sys.exit(1 if failed else LEFT_OUT if left_out else 0)


def kinds(codes):
    """How many of the deploys came to what: if all were alike, nothing would have been tried."""
    counts = collections.Counter(KINDS.get(code, f"exit {code}") for code in codes if code)
    return ", ".join(f"{count} {kind}" for kind, count in counts.most_common())


def play(seed, folder):
    """Its exit code, and the one of its deploy, where it came to that."""
    output = folder / f"seed-{seed}.log"
    with open(output, "w", encoding="utf-8") as log:
        try:
            code = subprocess.run([sys.executable, HERE / "seed.py", str(seed)], stdout=log,
                                  stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                  timeout=PATIENCE, check=False).returncode
        except subprocess.TimeoutExpired:
            log.write(f"did not end within {PATIENCE} s\n")
            code = 124
    ended = re.search(r"^ended: (\S+)", output.read_text(errors="replace"), re.MULTILINE)
    if code == 0:
        output.unlink()
    elif code == LEFT_OUT:
        print(output.read_text(errors="replace").strip(), flush=True)
        output.unlink()
    else:
        print(f"chaos: seed {seed} FAILED ({output}); again: {HERE / 'run.sh'} --seeds 1 "
              f"--first-seed {seed}", flush=True)
    return code, ended and ended.group(1)


if __name__ == "__main__":
    main()
