# SPDX-License-Identifier: Apache-2.0
"""A host that systemd manages: a Debian 13 of its own (a layer over the tree), booted in a container
in the fleet's network. Its sshd makes login sessions, it can reboot itself, and it is up in about a
second. Files survive a reboot, and so does nothing else.
"""

import functools
import os
import pathlib
import shutil
import subprocess

from . import debian13, world
from .host import NIX_CONF, Host
from .runner import wait_until

SSHD_CONFIG = "HostKey /etc/ssh/host_key\nPasswordAuthentication no\n"
NIX_DAEMON = """\
[Service]
ExecStart=/usr/bin/nix-daemon
[Install]
WantedBy=multi-user.target
"""
NOT_WANTED = ["console-getty.service", "apt-daily.timer", "apt-daily-upgrade.timer",
              "dpkg-db-backup.timer", "ldconfig.service", "systemd-journal-catalog-update.service"]


class SystemdHost(Host):
    def __init__(self, number, name, network):
        super().__init__(number, name, network, debian13.tree())
        _require_containers()

    def boot(self):
        self.console = open(self.folder / "console", "ab")
        self.process = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.space}", "unshare", "--mount", "--pid", "--uts",
             "--ipc", "--fork", "--kill-child", "--mount-proc", "--propagation", "private",
             "/bin/sh", pathlib.Path(__file__).parent / "systemd_init.sh", self.root, self.name,
             f"belay-{self.space}"],
            stdin=subprocess.DEVNULL, stdout=self.console, stderr=self.console,
            start_new_session=True, env={"PATH": world.SYSTEM_PATH})

    def wait_until_up(self):
        wait_until(self._is_up, f"{self.name} is up")

    def _is_up(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} did not boot:\n" + self.read_console())
        try:
            return self.run("systemctl", "is-active", "multi-user.target")[0] == 0
        except LookupError:
            return False

    @property
    def init(self):
        """The systemd in the container: the last in a row of only children."""
        pid = self.process.pid
        for _ in range(3):  # unshare, the script, systemd-nspawn
            pid = world.first_child(pid)
        return world.first_child(pid)

    def read_console(self):
        return (self.folder / "console").read_text(errors="replace")

    def serve_nix(self, trusted_users=()):
        (self.root / "etc/nix/nix.conf").write_text(
            NIX_CONF + f"trusted-users = {' '.join(['root', *trusted_users])}\n")
        (self.root / "etc/systemd/system/nix-daemon.service").write_text(NIX_DAEMON)
        self.output("systemctl", "daemon-reload")
        self.output("systemctl", "enable", "--now", "nix-daemon")

    def wait_for_reboot(self, earlier):
        """Waits until it is up again with another first process than `earlier`. Nothing may be run
        on it meanwhile: what shuts down stops each process, and nsenter stops with its own, for
        ever, and the whole host then waits for that."""
        def begun():
            try:
                return self.init != earlier
            except LookupError:
                return False
        wait_until(begun, f"{self.name} boots again")
        self.wait_until_up()

    def processes(self):
        """Those of belay and of scripts alone: a whole system has many others."""
        found = {}
        for line in self.output("ps", "-eo", "pid=,stat=,args=").splitlines():
            pid, state, arguments = line.split(None, 2)
            if "Z" not in state and ("belay" in arguments or "deploy-rs-activate" in arguments
                                     or arguments.startswith("sleep")):
                found[int(pid)] = arguments
        return found

    def login(self, command, user="root"):
        """Runs a command in a session, as logind wants it for some; returns what it says."""
        return world.run("ssh", f"{user}@{self.name}", command)

    def units(self, user="root"):
        """Those of belay that run or have failed, of the system's manager or of a user's own."""
        words = "list-units --plain --no-legend belay*"
        said = (self.output("systemctl", *words.split()) if user == "root"
                else self.login(f"systemctl --user {words}", user))
        return [line.split()[0] for line in said.splitlines()]

    def nothing_left(self, users=("root",)):
        """No process, no unit, and nothing that would run at the next boot."""
        def left():
            return [*self.processes().values(), *(unit for user in users for unit in self.units(user))]
        wait_until(lambda: not left(), f"{self.name}: nothing left, but {left()}", 10)
        armed = [str(path) for path in self.path("/etc/systemd").rglob("*belay*")]
        assert not armed, f"{self.name}: {armed}"

    def _lay_out(self):
        for name in ["root", "layer", "work"]:
            (self.folder / name).mkdir(parents=True)
        world.run("mount", "-t", "overlay", "-o", f"lowerdir={self.programs},"
                  f"upperdir={self.folder}/layer,workdir={self.folder}/work", "overlay", self.root)
        etc = self.root / "etc"
        for name, text in {"hostname": self.name + "\n", "hosts": "127.0.0.1 localhost\n",
                           "ssh/sshd_config.d/fleet.conf": SSHD_CONFIG,
                           "nix/nix.conf": NIX_CONF}.items():
            (etc / name).parent.mkdir(exist_ok=True)
            (etc / name).write_text(text)
        for unit in NOT_WANTED:
            (etc / "systemd/system" / unit).symlink_to("/dev/null")
        world.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", etc / "ssh/host_key")
        self._make_home("root", 0)
        self.add_user("app", 1000)
        self._make_mark_file()


@functools.cache
def _require_containers():
    if not shutil.which("systemd-nspawn", path=world.SYSTEM_PATH):
        world.leave_out("there is no systemd-nspawn; tests/run.sh installs it")
    tried = subprocess.run(
        ["unshare", "--mount", "sh", "-c", "umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 "
         f"/sys/fs/cgroup && mkdir /sys/fs/cgroup/belay-{os.environ[world.INSIDE]}-probe"],
        capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        world.leave_out(f"no control groups of its own: {tried.stderr.strip()}")
