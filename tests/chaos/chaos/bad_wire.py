# SPDX-License-Identifier: Apache-2.0
"""A cable that loses, delays and reorders frames: bad_wire.py ONE OTHER LOSS DELAY JITTER.

Carries frames between two interfaces until it is killed. LOSS is a share (0 to 1), DELAY and JITTER
are seconds. The kernel's own way, netem, is missing where its module was not built; this needs
nothing but packet sockets, and is a program of its own so that it is quick beside the campaign.
"""

import collections
import errno
import heapq
import itertools
import random
import select
import socket
import sys
import time

ETH_P_ALL = 3
SOL_PACKET, PACKET_VNET_HDR = 263, 15
PACKET_OUTGOING = 4
LARGEST = 10 + 14 + 65536  # virtio_net_hdr, Ethernet header, a segment that nobody has split yet
FULL = 1000
"""Frames under way in all; what comes then is dropped, as a queue in a switch would."""

Due = collections.namedtuple("Due", "when number out frame")


def plug(name):
    """Frames come and go with the header that says what is still to be summed and split, or
    none of them would be whole: between veths nobody does that work."""
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    end.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    end.bind((name, 0))
    end.setblocking(False)
    return end


def receive(end):
    """The next frame that came in from the outside, or None."""
    try:
        frame, address = end.recvfrom(LARGEST)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.ENETDOWN):  # the cable may be pulled as well
            return None
        raise
    return None if address[2] == PACKET_OUTGOING else frame


def send(end, frame):
    try:
        end.send(frame)
    except OSError:
        pass  # full, or pulled: lost, like others


def carry(one, other, loss, delay, jitter):
    luck, numbers, waiting = random.Random(), itertools.count(), []
    while True:
        pause = max(0, waiting[0].when - time.monotonic()) if waiting else None
        ready, _, _ = select.select([one, other], [], [], pause)
        now = time.monotonic()
        for end in ready:
            frame = receive(end)
            if frame and len(waiting) < FULL and luck.random() >= loss:
                heapq.heappush(waiting, Due(now + delay + luck.uniform(0, jitter), next(numbers),
                                            other if end is one else one, frame))
        while waiting and waiting[0].when <= now:
            due = heapq.heappop(waiting)
            send(due.out, due.frame)


def main():
    one, other = plug(sys.argv[1]), plug(sys.argv[2])
    print("up", flush=True)
    carry(one, other, *map(float, sys.argv[3:]))


if __name__ == "__main__":
    main()
