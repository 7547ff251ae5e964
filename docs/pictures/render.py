#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws a recording of a terminal (cast.py) as an SVG that moves.

    render.py CAST SVG

The picture is a function of the recording alone. Each line of the screen is drawn once for each text
that it has had, and shown while it had that. A program that shows no movement shows the moment at
which most was going on.
"""

import json
import re
import sys
import unicodedata
from xml.sax.saxutils import escape

COLUMN, ROW, MARGIN, BAR = 8.4, 20, 18, 30
STEP = 0.1
"""Seconds: what is on the screen for less is not drawn."""
HOLD = 5
"""Seconds that the end stays before it begins again."""
STYLES = {"": "", "0": "", "1;31": "bad", "2": "quiet", "32": "good", "33": "warning"}
SEQUENCE = re.compile(r"\x1b\[(\??[0-9;]*)([A-Za-z])")
CSS = """
text { font: 14px "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #d5d9e0; white-space: pre }
.good { fill: #8ec07c } .bad { fill: #fb6a5a; font-weight: bold } .warning { fill: #e5c07b }
.quiet { fill: #868e9c } .title { fill: #868e9c; text-anchor: middle }
"""


class Screen:
    """As much of a terminal as belay's live console uses."""

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.lines = [[] for _ in range(rows)]
        self.row = self.column = 0
        self.style, self.wraps = "", True

    def write(self, text):
        at = 0
        while at < len(text):
            if match := SEQUENCE.match(text, at):
                self.control(*match.groups())
                at = match.end()
                continue
            if text[at] == "\r":
                self.column = 0
            elif text[at] == "\n":
                self.feed()
            elif unicodedata.combining(text[at]) == 0:
                self.put(text[at])
            at += 1

    def control(self, parameters, final):
        if final == "A":
            self.row = max(0, self.row - int(parameters or 1))
        elif final == "K":
            del self.lines[self.row][self.column:]
        elif final == "J":
            del self.lines[self.row][self.column:]
            for row in range(self.row + 1, self.rows):
                self.lines[row] = []
        elif final == "m":
            self.style = STYLES[parameters]
        elif parameters == "?7":
            self.wraps = final == "h"
        else:
            raise ValueError(f"a sequence that is not known here: {parameters}{final}")

    def put(self, character):
        if self.column >= self.columns:
            if not self.wraps:
                return
            self.feed()
            self.column = 0
        line = self.lines[self.row]
        line.extend([(" ", "")] * (self.column - len(line)))
        line[self.column:self.column + 1] = [(character, self.style)]
        self.column += 1

    def feed(self):
        if self.row + 1 < self.rows:
            self.row += 1
        else:
            self.lines = [*self.lines[1:], []]

    def seen(self):
        """For each line its runs of one style: ((style, text), …)."""
        return [runs_of(line) for line in self.lines]


def runs_of(line):
    runs = []
    for character, style in line:
        if runs and runs[-1][0] == style:
            runs[-1][1] += character
        else:
            runs.append([style, character])
    return tuple((style, text) for style, text in runs if text.strip() or style == "")


def frames_of(header, pieces):
    """[(seconds, lines)] of every moment that lasts, and the time of the last one."""
    screen = Screen(header["width"], header["height"])
    frames = []
    for seconds, _, text in pieces:
        screen.write(text)
        if frames and seconds - frames[-1][0] < STEP:
            frames[-1] = (frames[-1][0], screen.seen())
        else:
            frames.append((seconds, screen.seen()))
    return frames


def spans_of(frames, end):
    """[(row, runs, from, to)]: while what a line had that text."""
    spans = []
    for row in range(len(frames[0][1])):
        begin, text = frames[0][0], frames[0][1][row]
        for seconds, lines in [*frames[1:], (end, None)]:
            if lines is None or lines[row] != text:
                spans.append((row, text, begin, seconds))
                begin, text = seconds, lines and lines[row]
    return [span for span in spans if any(piece.strip() for _, piece in span[1])]


def text_of(row, runs):
    parts, column = [], 0
    for style, text in runs:
        x = MARGIN + (column + len(text) - len(text.lstrip())) * COLUMN
        css = f' class="{style}"' if style else ""
        if text.strip():
            length = len(text.strip()) * COLUMN  # whatever font there is
            parts.append(f'<tspan x="{x:.1f}" textLength="{length:.1f}"{css}>'
                         f'{escape(text.strip())}</tspan>')
        column += len(text)
    return f'<text y="{BAR + MARGIN + 8 + row * ROW}">{"".join(parts)}</text>'


def visible(begin, end, total):
    """Shown from `begin` to `end` of each round."""
    times, values = [0], ["visible" if begin <= 0 else "hidden"]
    if begin > 0:
        times, values = [*times, begin / total], [*values, "visible"]
    if end < total:
        times, values = [*times, end / total], [*values, "hidden"]
    return (f'<animate attributeName="visibility" calcMode="discrete" dur="{total:.1f}s" '
            f'repeatCount="indefinite" keyTimes="{";".join(f"{time:.4f}" for time in times)}" '
            f'values="{";".join(values)}"/>')


def draw(header, pieces, title):
    frames = frames_of(header, pieces)
    total = frames[-1][0] + HOLD
    still = max(frames, key=lambda frame: sum(len(text) for runs in frame[1] for _, text in runs))[0]
    width = header["width"] * COLUMN + 2 * MARGIN
    height = header["height"] * ROW + BAR + MARGIN
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" '
             f'width="{width:.0f}" height="{height}">',
             f"<title>{escape(title)}</title>", f"<style>{CSS}</style>",
             f'<rect width="100%" height="100%" rx="8" fill="#1d2026"/>']
    for number, colour in enumerate(["#fb6a5a", "#e5c07b", "#8ec07c"]):
        lines.append(f'<circle cx="{20 + 18 * number}" cy="18" r="5.5" fill="{colour}"/>')
    lines.append(f'<text class="title" x="{width / 2:.0f}" y="23">{escape(title)}</text>')
    for row, runs, begin, end in spans_of(frames, total):
        shown = "visible" if begin <= still < end else "hidden"
        lines.append(f'<g visibility="{shown}">{text_of(row, runs)}{visible(begin, end, total)}</g>')
    return "\n".join([*lines, "</svg>", ""])


def main():
    with open(sys.argv[1], encoding="utf-8") as cast:
        header, *pieces = [json.loads(line) for line in cast]
    with open(sys.argv[2], "w", encoding="utf-8") as picture:
        picture.write(draw(header, pieces, "belay run ."))


if __name__ == "__main__":
    main()
