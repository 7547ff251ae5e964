# SPDX-License-Identifier: Apache-2.0
"""What faults do to the world, and how the world is put right again after them."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

from chaos import clock
from fleet import world
from fleet.runner import Run

HERE = pathlib.Path(__file__).resolve().parent

DISK = "48m"
"""Of a host's /nix. A deploy of the campaign needs a few megabytes."""


class Attack(threading.Thread):
    """One fault, from the moment for which it waits until it has been taken back. It begins at the
    latest some seconds after the run, where the moment never comes."""

    LATEST = 15

    def __init__(self, fault, place, run, rival):
        super().__init__(daemon=True)
        self.fault, self.place, self.watched, self.start_rival = fault, place, run, rival
        self.done = threading.Event()
        self.error = None

    def run(self):
        try:
            self._wait_for_moment()
            self.done.wait(self.fault.delay)
            if not self.done.is_set():
                getattr(self, self.fault.kind.replace(" ", "_"))()
        except Exception as error:  # of the campaign, not of what it attacks
            self.error = error

    def _wait_for_moment(self):
        kind, stage = self.fault.moment
        end = time.monotonic() + self.LATEST
        while not self.done.is_set() and time.monotonic() < end:
            if self.watched.select(kind, **({"stage": stage} if stage else {})):
                return
            time.sleep(0.03)

    @property
    def host(self):
        return self.place.hosts[self.fault.host]

    def last(self):
        """As long as it is to be, or until all is over."""
        self.done.wait(self.fault.duration)

    def cut(self):
        self.host.cut()
        self.last()
        self.host.mend()

    def flap(self):
        end = time.monotonic() + self.fault.duration
        while time.monotonic() < end and not self.done.is_set():
            self.host.cut()
            time.sleep(0.15)
            self.host.mend()
            time.sleep(0.15)

    def choke(self):
        self.place.choke(self.host)
        self.last()
        self.place.unchoke(self.host)

    def lose(self):
        self._wear(loss=0.15, delay=0.002, jitter=0.005)

    def delay(self):
        self._wear(loss=0.01, delay=0.1, jitter=0.1)

    def _wear(self, **how):
        with self.place.worn(self.host, **how):
            self.last()

    def kill_sshd(self):
        self.place.kill(self.host, "sshd")
        self.last()
        self.place.start_sshd(self.host)

    def kill_serve(self):
        self.place.kill(self.host, "belay-agent serve")

    def kill_keeper(self):
        self.place.kill(self.host, "belay-agent keep", "belay-agent recover", last=True)

    def kill_keepers(self):
        self.place.kill(self.host, "belay-agent keep", "belay-agent recover")

    def kill_nix(self):
        for pid in children_of(self.watched.process.pid):
            if b"nix" in read(f"/proc/{pid}/cmdline").split(b"\0")[0]:
                send(pid, signal.SIGKILL)

    def kill_runner(self):
        self.watched.kill()

    def terminate_runner(self):
        self.watched.kill(signal.SIGTERM)

    def power_cut(self):
        self.place.power_cut(self.host, self.done)

    def fill_disk(self):
        self.place.fill(self.host)
        self.last()
        self.place.free(self.host)

    def step_clock(self):
        with clock.stepped(self.host.path(clock.OF_HOST), self.fault.step):
            self.last()

    def step_own_clock(self):
        with clock.stepped(clock.OF_RUNNER, self.fault.step):
            self.last()

    def rival(self):
        self.start_rival()


class Place:
    """The hosts of a seed. What a fault does to one of them is done one at a time."""

    def __init__(self, fleet):
        self.hosts = list(fleet)
        self.bridge = fleet.network.bridge
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
            found = sorted(pid for pid, line in all_processes(host).items()
                           if any(part in line for part in parts))
            for pid in found[-1:] if last else found:
                host.run("kill", "-KILL", pid)

    def start_sshd(self, host):
        with self.locks[host.name]:
            host.run("sh", "-c", "pgrep -f '^sshd: /usr' >/dev/null || /usr/sbin/sshd")

    def power_cut(self, host, cancel):
        with self.locks[host.name]:
            host.halt()
            cancel.wait(0.5)
            host.boot()
            host.wait_until_up()
            recover(host)

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


def agent_of(host):
    """The agent in its store, if any came there whole: Nix dates a path back to second 1 when all of
    it is there, and a copy that was killed leaves the beginning of a program."""
    for agent in host.path("/nix/store").glob("*-belay-agent"):
        if agent.stat().st_mtime == 1:
            return f"/nix/store/{agent.name}"
    return None


def recover(host):
    """What the boot unit would run."""
    if agent := agent_of(host):
        host.run(agent, "recover", timeout=120)


def all_processes(host):
    lines = host.output("ps", "-eo", "pid=,args=").splitlines()
    return {int(pid): arguments for pid, arguments in (line.split(None, 1) for line in lines)}


def children_of(pid):
    found, todo = [], [pid]
    while todo:
        for task in pathlib.Path(f"/proc/{todo.pop()}/task").glob("*/children"):
            children = [int(child) for child in read(task).split()]
            found += children
            todo += children
    return found


def read(path):
    try:
        return pathlib.Path(path).read_bytes()
    except OSError:
        return b""


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


class Rivals:
    """Other runs that want the same hosts; each has a version of its own."""

    def __init__(self, make):
        self.make, self.runs, self.lock = make, [], threading.Lock()

    def start(self):
        with self.lock:
            self.runs.append(self.make(len(self.runs) + 1))

    def wait(self):
        for run in self.runs:
            run.wait()
        return self.runs


__all__ = ["Attack", "DISK", "Place", "Rivals", "Run", "recover"]
