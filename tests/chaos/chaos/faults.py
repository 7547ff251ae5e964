# SPDX-License-Identifier: Apache-2.0
"""What faults do to the world, each from its moment until it is taken back."""

import signal
import threading
import time

from chaos import clock
from chaos.processes import children_of, read, send


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

    def terminate_twice(self):
        self.watched.kill(signal.SIGTERM)
        self.last()
        self.watched.kill(signal.SIGTERM)

    def refuse_logins(self):
        self.place.kill(self.host, "sshd: /usr/sbin/sshd")
        self.last()
        self.place.start_sshd(self.host)

    def freeze_keeper(self):
        self._freeze("belay-agent keep", "belay-agent recover")

    def freeze_serve(self):
        self._freeze("belay-agent serve")

    def freeze_sshd(self):
        self._freeze("sshd")

    def _freeze(self, *parts):
        with self.place.frozen(self.host, *parts):
            self.last()

    def freeze_runner(self):
        self.watched.kill(signal.SIGSTOP)
        self.last()
        self.watched.kill(signal.SIGCONT)

    def collect_garbage(self):
        self.place.collect_garbage(self.host)

    def foreign_set(self):
        self.place.set_by_hand(self.host)

    def rival(self):
        self.start_rival()


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
