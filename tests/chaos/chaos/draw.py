# SPDX-License-Identifier: Apache-2.0
"""What a seed means: hosts with a past, a deploy with scripts that misbehave, and faults that come
in its middle. Pure: the same seed draws the same, and says so in words."""

import dataclasses
import random

MEND = "ip link set eth0 up\npgrep -x sshd >/dev/null || /usr/sbin/sshd\n"
"""What every good script does, so that going back to it makes a host reachable."""

SCRIPTS = {
    "fine": "",
    "fails": "exit 3\n",
    "slow": "sleep 2\n",
    "slow and fails": "sleep 2\nexit 3\n",
    "hangs": "trap '' TERM\nsleep 300 &\nwait\nsleep 300\n",
    "leaves a child": "sleep 3 &\n",
    "closes its output": "exec >&- 2>&-\nsleep 1\n",
    "prints megabytes": "yes belay | head -c 8000000\n",
    "kills its parent": "kill -KILL $PPID\nsleep 1\n",
    "restarts sshd": "pkill -KILL -x sshd || :\n/usr/sbin/sshd\n",
    "shuts sshd down": "pkill -KILL -x sshd || :\n",
    "cuts the network": "ip link set eth0 down\n",
    "cuts the network and fails": "ip link set eth0 down\nexit 3\n",
}
SHUTS_OUT = {"shuts sshd down", "cuts the network", "cuts the network and fails"}
GOOD = {"fine", "slow", "leaves a child", "closes its output", "prints megabytes"}
BAD = {"fails", "slow and fails", "hangs", "kills its parent", *SHUTS_OUT}
"""With the way in gone, too: the campaign's past scripts open it again."""
LIKELY = ["fine", "slow"] * 4
"""Most scripts do their work; it is the faults that matter then."""

FAULTS = {
    "cut": 3,            # the cable, for some seconds
    "flap": 2,           # the cable, many times a second
    "choke": 1,          # a link of a few kilobytes a second, which drops what it cannot hold
    "lose": 1,           # one frame of seven
    "delay": 1,          # each frame by up to 0.2 s, not all by the same
    "kill sshd": 2,      # with every session, and back after some seconds
    "kill serve": 2,     # the agent's half that talks
    "kill keeper": 3,    # the agent's half that owns the transaction
    "kill keepers": 2,   # with those that would start it anew
    "kill nix": 1,       # the runner's nix processes
    "kill runner": 2,
    "terminate runner": 2,
    "power cut": 3,      # and boot with what an armed boot unit would run
    "fill disk": 2,      # store, profiles and state, for some seconds
    "step clock": 2,     # the time of day of a host, and back
    "step own clock": 1, # and the runner's
    "rival": 2,          # another run wants the same hosts
}
HARMLESS = {"step clock", "step own clock"}
OF_THE_RUNNER = {"kill nix", "kill runner", "terminate runner", "step own clock", "rival"}
ENDS_THE_RUN = {"kill runner", "terminate runner"}
HIDES = set(FAULTS) - HARMLESS - {"kill nix", "kill runner", "rival"}
"""After which a run may not know what became of a host."""
MOMENTS = [("run.started", None), ("stage.started", "build"), ("stage.started", "copy"),
           ("stage.finished", "copy"), ("stage.started", "lock"), ("stage.finished", "lock"),
           ("stage.started", "activate"), ("stage.started", "activate"),
           ("stage.finished", "activate"), ("stage.started", "confirm"),
           ("stage.finished", "confirm"), ("stage.started", "rollback"),
           ("node.finished", None)]


@dataclasses.dataclass(frozen=True)
class HostPlan:
    past: str    # "none", "one", "two", "back to one of two"
    script: str  # a name of SCRIPTS
    same: bool   # what is deployed is what is there already


@dataclasses.dataclass(frozen=True)
class Fault:
    kind: str
    host: int        # index; a fault of the runner has one too, and does not care
    moment: tuple    # the event after which it comes
    delay: float     # seconds after that
    duration: float  # seconds
    step: int        # seconds by which a clock is put forward


@dataclasses.dataclass(frozen=True)
class Case:
    seed: int
    hosts: tuple
    faults: tuple
    on_failure: str
    magic: bool
    transport: str

    def on(self, number):
        """The kinds of the faults that this host sees."""
        return {fault.kind for fault in self.faults
                if fault.host == number or fault.kind in OF_THE_RUNNER}

    def disturbed(self, number):
        return bool(self.on(number) - HARMLESS)

    def may_be_orphans(self, number):
        """Whether a keeper may die with all that would start it anew."""
        killers = [fault.kind for fault in self.faults if fault.host == number]
        once = killers.count("kill keeper") + (self.hosts[number].script == "kills its parent")
        return bool({"power cut", "kill keepers"} & set(killers)) or once > 1

    def words(self):
        lines = [f"seed {self.seed}: --on-failure {self.on_failure}, transport {self.transport}"
                 + ("" if self.magic else ", no magic rollback")]
        for number, host in enumerate(self.hosts, 1):
            lines.append(f"  web-{number}: before: {host.past}; script: {host.script}"
                         + ("; unchanged" if host.same else ""))
        for fault in self.faults:
            moment = " ".join(filter(None, fault.moment))
            step = f" by {fault.step} s" if "clock" in fault.kind else ""
            lines.append(f"  {fault.kind} (web-{fault.host + 1}){step} {fault.delay:.2f} s after {moment}, "
                         f"for {fault.duration:.1f} s")
        return "\n".join(lines)


def draw(seed):
    luck = random.Random(seed)
    hosts = tuple(_draw_host(luck) for _ in range(luck.choice([1, 1, 2, 2, 3])))
    faults = tuple(_draw_fault(luck, len(hosts)) for _ in range(luck.choice([1, 1, 2, 3])))
    # Without it, nobody brings back a host that shuts the runner out.
    magic = luck.random() < 0.9 or any(host.script in SHUTS_OUT for host in hosts)
    return Case(seed, hosts, faults, luck.choice(["stop", "continue"]), magic,
                luck.choice(["libssh2", "libssh2", "openssh"]))


def _draw_host(luck):
    past = luck.choice(["none", "one", "one", "one", "two", "back to one of two"])
    same = past != "none" and luck.random() < 0.1
    # Where nothing was before, there is nothing that could be run to let the runner in again.
    scripts = [name for name in SCRIPTS if past != "none" or name not in SHUTS_OUT]
    script = "fine" if same else luck.choice([*scripts, *LIKELY])
    return HostPlan(past, script, same)


def _draw_fault(luck, hosts):
    [kind] = luck.choices(list(FAULTS), FAULTS.values())
    return Fault(kind, luck.randrange(hosts), luck.choice(MOMENTS),
                 luck.choice([0, luck.uniform(0, 0.3), luck.uniform(0, 3)]), luck.uniform(0.3, 12),
                 luck.choice([-1, 1]) * luck.choice([7, 3600, 400 * 86400]))
