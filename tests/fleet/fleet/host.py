# SPDX-License-Identifier: Apache-2.0
"""One host: a folder that is its root, a network namespace, and processes of its own in a PID
namespace, so that "all its processes" is exact. It runs the machine's programs (/usr, read-only),
or those of another tree, on an /etc, /nix, /root, /home and /var of its own, which survive a
reboot; /run and /tmp do not.
"""

import os
import pathlib
import platform
import shutil
import subprocess

from . import world

SYSTEM = f"{platform.machine()}-linux"

PASSWD = """\
root:x:0:0:root:/root:/bin/sh
sshd:x:101:65534::/run/sshd:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
SHADOW = "root:*:19000::::::\nsshd:*:19000::::::\nnobody:*:19000::::::\n"
GROUP = "root:x:0:\nnogroup:x:65534:\n"
SSHD_CONFIG = """\
HostKey /etc/ssh/host_key
UsePAM no
PasswordAuthentication no
"""
DAEMON_SOCKET = "/nix/var/nix/daemon-socket/socket"
NIX_CONF = "sandbox = false\nsubstituters =\nbuild-users-group =\n"
FROM_MACHINE = ["ld.so.cache", "nsswitch.conf", "services", "protocols", "login.defs",
                "alternatives"]


class Host:
    """`number` gives the address, `name` is what the runner calls it, `programs` is the root of
    the system whose programs it runs."""

    def __init__(self, number, name, network, programs="/"):
        self.number, self.name, self.network = number, name, network
        self.address = network.address(number)
        self.address6 = network.address6(number)
        self.space = f"{os.environ[world.INSIDE]}-{number}"
        self.folder = world.FLEET / "hosts" / str(number)
        self.root = self.folder / "root"
        self.programs = pathlib.Path(programs)
        self.process = None
        self.authorized_key = ""

    def make(self, authorized_key):
        """Every user of the host accepts that key, also one that is added later."""
        self.authorized_key = authorized_key
        self._lay_out()
        self.network.add(self.space, self.number)
        self.boot()

    def boot(self):
        """Begins to start; `wait_until_up` is the other half, so that several start at once."""
        self.process = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.space}", "unshare", "--mount", "--pid", "--uts",
             "--ipc", "--fork", "--kill-child", "--propagation", "private", "/bin/sh",
             pathlib.Path(__file__).parent / "host_init.sh", self.root, self.name,
             self.programs],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True,
            env={"PATH": world.SYSTEM_PATH})

    def wait_until_up(self):
        with self.process.stdout as said:
            if said.readline() != "up\n":
                raise RuntimeError(f"host {self.name} did not start")

    @property
    def init(self):
        """Its first process."""
        return world.first_child(self.process.pid)

    def halt(self):
        """Power off: every process of the host dies at once, files stay."""
        self.process.kill()
        self.process.wait()

    def reboot(self):
        self.halt()
        self.boot()
        self.wait_until_up()

    def add_user(self, name, number):
        """A user with a group of the same name and number, who logs in with the runner's key."""
        for file, line in {"passwd": f"{name}:x:{number}:{number}::/home/{name}:/bin/sh",
                           "shadow": f"{name}:*:19000::::::", "group": f"{name}:x:{number}:"}.items():
            with open(self.root / "etc" / file, "a", encoding="utf-8") as entries:
                entries.write(line + "\n")
        self._make_home(f"home/{name}", number)

    def serve_nix(self, trusted_users=()):
        """Starts the Nix daemon, now and at each boot: users other than root need one to deploy."""
        (self.root / "etc/nix/nix.conf").write_text(
            NIX_CONF + f"trusted-users = {' '.join(['root', *trusted_users])}\n")
        self.path("/etc/nix/serve").touch()
        self.output("/bin/sh", "-c", "setsid nix-daemon </dev/null >/var/log/nix-daemon.log 2>&1 &"
                    f"until [ -S {DAEMON_SOCKET} ]; do sleep 0.02; done")

    def run(self, *command, timeout=60):
        """Runs a command on the host, past its network and sshd: (exit code, stdout, stderr)."""
        done = subprocess.run(
            ["nsenter", "--target", str(self.init), "--mount", "--net", "--pid", "--uts", "--ipc",
             "--wdns=/", *map(str, command)],
            capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=timeout, check=False,
            env={"PATH": world.SYSTEM_PATH, "HOME": "/root", "USER": "root"})
        return done.returncode, done.stdout, done.stderr

    def output(self, *command):
        """What a command that has to work says on its stdout."""
        code, out, err = self.run(*command)
        if code != 0:
            raise RuntimeError(f"{self.name}: {command}: exit {code}: {err}")
        return out

    def cut(self):
        self.network.cut(self.number)

    def mend(self):
        self.network.mend(self.number)

    def path(self, inside):
        """A file of the host as seen from outside."""
        return self.root / str(inside).lstrip("/")

    def read(self, inside):
        """The text of a file; empty if there is none."""
        path = self.path(inside)
        return path.read_text(errors="replace") if path.exists() else ""

    def processes(self):
        """Command lines of all its processes but those that a host has anyway, by process id."""
        found = {}
        for line in self.output("ps", "-eo", "pid=,stat=,args=").splitlines():
            pid, state, arguments = line.split(None, 2)
            own = arguments.startswith(("ps -eo", "sleep 1000", "/bin/sh /", "sshd: /usr/sbin",
                                        "nix-daemon"))
            if not own and "Z" not in state:
                found[int(pid)] = arguments
        return found

    def public_key(self):
        return " ".join((self.folder / "root/etc/ssh/host_key.pub").read_text().split()[:2])

    def _lay_out(self):
        for folder in ["usr", "dev", "proc", "sys", "run", "tmp", "old-root", "home", "nix",
                       "etc/ssh", "etc/nix", "var/log", "var/lib", "var/empty", "var/tmp"]:
            (self.root / folder).mkdir(parents=True)
        for link in ["bin", "sbin", "lib", "lib32", "lib64", "libx32"]:
            if (self.programs / link).is_symlink():
                (self.root / link).symlink_to(os.readlink(self.programs / link))
        self._make_home("root", 0)
        self._write_etc()
        self.add_user("app", 1000)
        self._make_mark_file()

    def _make_mark_file(self):
        """Where each activation leaves a line, whoever's it is."""
        self.path("/var/lib/activated").touch()
        self.path("/var/lib/activated").chmod(0o666)

    def _make_home(self, folder, owner):
        keys = self.root / folder / ".ssh"
        keys.mkdir(parents=True, exist_ok=True)
        (keys / "authorized_keys").write_text(self.authorized_key)
        for path, mode in [(keys.parent, 0o700), (keys, 0o700), (keys / "authorized_keys", 0o600)]:
            os.chown(path, owner, owner)
            path.chmod(mode)

    def _write_etc(self):
        etc = self.root / "etc"
        for name in FROM_MACHINE:
            source = self.programs / "etc" / name
            if source.is_dir():
                shutil.copytree(source, etc / name, symlinks=True)
            elif source.exists():
                shutil.copy(source, etc / name)
        for name, text in {"passwd": PASSWD, "shadow": SHADOW, "group": GROUP,
                           "hostname": self.name + "\n", "hosts": "127.0.0.1 localhost\n",
                           "ssh/sshd_config": SSHD_CONFIG, "nix/nix.conf": NIX_CONF}.items():
            (etc / name).write_text(text)
        (etc / "shadow").chmod(0o600)
        world.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", etc / "ssh/host_key")
