# SPDX-License-Identifier: Apache-2.0
"""One bridge in the fleet's own network namespace, and a cable from it to each host."""

import os

from . import world

SUBNET = "10.77.0"
SUBNET6 = "fd77:"


class Network:
    def __init__(self):
        self.bridge = "belay-" + os.environ[world.INSIDE]
        self._ip("link set lo up", f"link add {self.bridge} type bridge",
                 f"addr add {SUBNET}.1/24 dev {self.bridge}",
                 f"addr add {SUBNET6}:1/64 dev {self.bridge} nodad", f"link set {self.bridge} up")

    def address(self, number):
        return f"{SUBNET}.{10 + number}"

    def address6(self, number):
        return f"{SUBNET6}:{10 + number}"

    def add(self, space, number):
        """A network namespace for a host, with its end of a cable."""
        cable = f"cable{number}"
        self._ip(f"netns add {space}",
                 f"link add {cable} type veth peer name eth0 netns {space}",
                 f"link set {cable} master {self.bridge}",
                 f"link set {cable} up")
        self._ip("link set lo up", f"addr add {self.address(number)}/24 dev eth0",
                 f"addr add {self.address6(number)}/64 dev eth0 nodad",
                 "link set eth0 up", space=space)

    def cut(self, number):
        """Pulls the cable on the bridge's side: packets vanish, nobody is told."""
        self._ip(f"link set cable{number} down")

    def mend(self, number):
        self._ip(f"link set cable{number} up")

    @staticmethod
    def _ip(*lines, space=None):
        command = ["ip", "-n", space] if space else ["ip"]
        world.run(*command, "-batch", "-", text="\n".join(lines))
