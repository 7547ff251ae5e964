# SPDX-License-Identifier: Apache-2.0
"""The hosts of a seed, and what can be done to them."""

import contextlib
import pathlib
import subprocess
import sys
import threading

from chaos.processes import agent_of, all_processes
from fleet import world

HERE = pathlib.Path(__file__).resolve().parent

DISK = "48m"
"""Of a host's /nix. A deploy of the campaign needs a few megabytes."""
PROFILE = "/nix/var/nix/profiles/system"
FOREIGN = """#!/bin/sh
echo foreign >>/var/lib/activated
echo begin foreign >>/var/lib/steps
echo end foreign >>/var/lib/steps
"""


class Place:
    """The hosts of a seed. What a fault does to one of them is done one at a time."""

    def __init__(self, fleet):
        self.hosts = list(fleet)
        self.bridge = fleet.network.bridge
        self.set_on = set()  # hosts whose profile was set by hand
        self.wires = {host.name: threading.Lock() for host in self.hosts}
        self.locks = {host.name: threading.RLock() for host in self.hosts}

    def choke(self, host):
        world.run("tc", "qdisc", "replace", "dev", f"cable{host.number}", "root", "tbf", "rate",
                  "100kbit", "burst", "3000", "limit", "6000")

    def unchoke(self, host):
        world.run("sh", "-c", f"tc qdisc del dev cable{host.number} root 2>/dev/null || :")

    @contextlib.contextmanager
    def worn(self, host, loss, delay, jitter):
        """Its cable goes through a bad one for as long as this lasts."""
        cable, wire = f"cable{host.number}", f"wire{host.number}"
        with self.wires[host.name]:
            world.run("ip", "-batch", "-", text=f"""
                link add {wire} type veth peer name {wire}-far
                link set {wire} up
                link set {wire}-far master {self.bridge} up
                link set {cable} nomaster""")
            carrier = subprocess.Popen([sys.executable, HERE / "bad_wire.py", cable, wire,
                                        *map(str, (loss, delay, jitter))])
            try:
                yield
            finally:
                carrier.kill()
                carrier.wait()
                world.run("ip", "-batch", "-", text=f"""
                    link del {wire}
                    link set {cable} master {self.bridge}""")

    def kill(self, host, *parts, last=False):
        with self.locks[host.name]:
            found = self._find(host, parts)
            for pid in found[-1:] if last else found:
                host.run("kill", "-KILL", pid)

    def _find(self, host, parts):
        return sorted(pid for pid, line in all_processes(host).items()
                      if any(part in line for part in parts))

    @contextlib.contextmanager
    def frozen(self, host, *parts):
        """They go on with the same numbers: nobody else's can be theirs unless the host was off."""
        with self.locks[host.name]:
            boot, found = host.process, self._find(host, parts)
            for pid in found:
                host.run("kill", "-STOP", pid)
        yield
        with self.locks[host.name]:
            for pid in found if host.process is boot else ():
                host.run("kill", "-CONT", pid)

    def collect_garbage(self, host):
        with self.locks[host.name]:
            host.run("nix-store", "--gc")

    def set_by_hand(self, host):
        """What deploys without a lock: the profile is set, then activated."""
        with self.locks[host.name]:
            foreign = host.path("/var/tmp/app-foreign")
            world.run("mkdir", "-p", foreign)
            (foreign / "deploy-rs-activate").write_text(FOREIGN)
            (foreign / "deploy-rs-activate").chmod(0o755)
            code, path, _ = host.run("nix-store", "--add", "/var/tmp/app-foreign")
            if code == 0 and host.run("nix-env", "-p", PROFILE, "--set", path.strip())[0] == 0:
                self.set_on.add(host.name)
                host.run(f"{path.strip()}/deploy-rs-activate")

    def start_sshd(self, host):
        with self.locks[host.name]:
            host.run("sh", "-c", "pgrep -f '^sshd: /usr' >/dev/null || /usr/sbin/sshd")

    def power_cut(self, host, cancel):
        with self.locks[host.name]:
            host.halt()
            cancel.wait(0.5)
            host.boot()
            host.wait_until_up()
            if agent := agent_of(host):
                host.run(agent, "recover", timeout=120)  # what the boot unit would run

    def fill(self, host):
        with open(host.path("/nix/ballast"), "wb", buffering=0) as ballast:
            with contextlib.suppress(OSError):
                while True:
                    ballast.write(b"\0" * 65536)

    def free(self, host):
        host.path("/nix/ballast").unlink(missing_ok=True)

    def put_right(self):
        """What faults did, that is. What a script did is for the host to undo."""
        for host in self.hosts:
            host.mend()
            self.unchoke(host)
            self.free(host)
