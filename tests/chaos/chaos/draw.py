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
PAST_SCRIPTS = {
    "good": "",
    "fails": "! grep -q '^begin new$' /var/lib/steps || exit 3\n",
    "kills its parent": "! grep -q '^begin new$' /var/lib/steps || { kill -KILL $PPID; sleep 1; }\n",
}
"""What was there before, when it is gone back to."""
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
    "terminate twice": 1,
    "rival": 2,          # another run wants the same hosts
    "refuse logins": 3,  # sshd's listener; sessions live
    "freeze keeper": 2,  # stopped, and going on after some seconds or more than a minute
    "freeze serve": 1,
    "freeze sshd": 1,    # with every session
    "freeze runner": 2,
    "collect garbage": 2,
    "foreign set": 2,    # somebody who knows nothing of locks deploys by hand
}
HARMLESS = {"step clock", "step own clock"}
OF_THE_RUNNER = {"kill nix", "kill runner", "terminate runner", "terminate twice",
                 "freeze runner", "step own clock", "rival"}
HIDES = set(FAULTS) - HARMLESS - {"kill nix", "kill runner", "rival", "collect garbage",
                                  "foreign set"}
"""After which a run may not know what became of a host."""
MOMENTS = [("run.started", None), ("stage.started", "build"), ("stage.started", "copy"),
           ("stage.finished", "copy"), ("stage.started", "lock"), ("stage.finished", "lock"),
           ("stage.started", "activate"), ("stage.started", "activate"),
           ("stage.finished", "activate"), ("stage.started", "confirm"),
           ("stage.finished", "confirm"), ("stage.started", "rollback"),
           ("node.finished", None)]
AFTER_LOCK = {("stage.finished", "lock"), ("stage.started", "activate"),
              ("stage.finished", "activate"), ("stage.started", "confirm")}


@dataclasses.dataclass(frozen=True)
class HostPlan:
    past: str    # "none", "one", "two", "back to one of two"
    back: str    # a name of PAST_SCRIPTS
    home: str    # a name of SCRIPTS, of a second profile; "" where there is none
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
    auto: bool      # autoRollback
    deadline: int   # seconds; 0: none

    def profiles(self, number):
        return ["system", "home"] if self.hosts[number].home else ["system"]

    def on(self, number):
        """The kinds of the faults that this host sees."""
        return {fault.kind for fault in self.faults
                if fault.host == number or fault.kind in OF_THE_RUNNER}

    def disturbed(self, number):
        return bool(self.on(number) - self.harmless()) or self.deadline > 0

    def harmless(self):
        """What the store holds is kept from the collector once its deploy has the lock."""
        late = all(fault.moment in AFTER_LOCK for fault in self.faults
                   if fault.kind == "collect garbage")
        return HARMLESS | ({"collect garbage"} if late and len(self.hosts) == 1 else set())

    def is_hurried(self):
        """Whether the runner may get a second signal."""
        kinds = [fault.kind for fault in self.faults]
        return "terminate twice" in kinds or kinds.count("terminate runner") > 1

    def may_be_orphans(self, number):
        """Whether a keeper may die with all that would start it anew."""
        killers = [fault.kind for fault in self.faults if fault.host == number]
        kills = {self.hosts[number].script, self.hosts[number].back} & {"kills its parent"}
        once = killers.count("kill keeper") + len(kills)
        return bool({"power cut", "kill keepers"} & set(killers)) or once > 1

    def words(self):
        lines = [f"seed {self.seed}: --on-failure {self.on_failure}, transport {self.transport}"
                 + ("" if self.magic else ", no magic rollback")
                 + ("" if self.auto else ", no rollback of what fails")
                 + (f", deadline {self.deadline} s" if self.deadline else "")]
        for number, host in enumerate(self.hosts, 1):
            lines.append(f"  web-{number}: before: {host.past}; script: {host.script}"
                         + ("; unchanged" if host.same else "")
                         + (f"; going back {host.back}" if host.back != "good" else "")
                         + (f"; home: {host.home}" if host.home else ""))
        for fault in self.faults:
            moment = " ".join(filter(None, fault.moment))
            step = f" by {fault.step} s" if "clock" in fault.kind else ""
            lines.append(f"  {fault.kind} (web-{fault.host + 1}){step} {fault.delay:.2f} s after {moment}, "
                         f"for {fault.duration:.1f} s")
        return "\n".join(lines)


def draw(seed):
    luck = random.Random(seed)
    hosts = tuple(_draw_host(luck) for _ in range(luck.choice([1, 1, 2, 2, 3])))
    faults = tuple(_draw_fault(luck, len(hosts)) for _ in range(luck.choice([0, 1, 1, 1, 2, 2, 3])))
    # Without it, nobody brings back a host that shuts the runner out.
    magic = luck.random() < 0.9 or any(host.script in SHUTS_OUT for host in hosts)
    # Who asks for a failed activation to stay has a host that stays cut off.
    auto = luck.random() < 0.9 or any(host.script == "cuts the network and fails" for host in hosts)
    return Case(seed, hosts, faults, luck.choice(["stop", "continue"]), magic,
                luck.choice(["libssh2", "libssh2", "openssh"]), auto,
                luck.randint(2, 15) if luck.random() < 0.1 else 0)


def _draw_host(luck):
    past = luck.choice(["none", "one", "one", "one", "two", "back to one of two"])
    same = past != "none" and luck.random() < 0.1
    # Where nothing was before, there is nothing that could be run to let the runner in again.
    scripts = [name for name in SCRIPTS if past != "none" or name not in SHUTS_OUT]
    script = "fine" if same else luck.choice([*scripts, *LIKELY])
    back = luck.choice(list(PAST_SCRIPTS)) if past != "none" and luck.random() < 0.15 else "good"
    home = luck.choice(["fine", "slow", "fails"]) if luck.random() < 0.15 else ""
    return HostPlan(past, back, home, script, same)


def _draw_fault(luck, hosts):
    [kind] = luck.choices(list(FAULTS), FAULTS.values())
    duration = 70 if "freeze" in kind and luck.random() < 0.1 else luck.uniform(0.3, 12)
    return Fault(kind, luck.randrange(hosts), luck.choice(MOMENTS),
                 luck.choice([0, luck.uniform(0, 0.3), luck.uniform(0, 3)]), duration,
                 luck.choice([-1, 1]) * luck.choice([7, 3600, 400 * 86400]))
