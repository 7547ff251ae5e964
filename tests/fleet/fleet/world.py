# SPDX-License-Identifier: Apache-2.0
"""The private world of one fleet: a place where hosts can be made without touching the machine.

`enter()` starts this very program again inside new namespaces and never returns in the outer one.
Inside, /run, /tmp and /nix are new and empty, root's home is another one, and the bridge that the
hosts will be on exists. The machine's own files stay readable, so that builds are found.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import uuid

SKIPPED = 77
"""Exit code that ctest reads as "left out" (SKIP_RETURN_CODE)."""

FLEET = pathlib.Path("/run/belay-fleet")
HOME = FLEET / "home"
INSIDE = "BELAY_FLEET_INSIDE"
TREE = "BELAY_FLEET_TREE"
"""Where a second Debian would be; see debian13."""
REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
NAMESPACES = ["--mount", "--net", "--pid", "--uts", "--ipc"]
PASSED_ON = ["CI", "TERM", "NO_COLOR"]
"""Variables that a program inside may know beside BELAY_…; the rest of the machine's stay out."""
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def enter(keep=()):
    """Goes on inside the world. `keep`: files or folders under /tmp or /run that stay visible."""
    if os.environ.get(INSIDE):
        _furnish([REPOSITORY, pathlib.Path(os.environ[TREE]), *map(pathlib.Path, keep)])
        return
    _become_root()
    _require_namespaces()
    os.environ[TREE] = run("bash", REPOSITORY / "tests/setup/debian-tree.sh", "--path").strip()
    sys.exit(_start_inside())


def leave_out(why):
    print(f"left out: the fleet cannot run here: {why}", file=sys.stderr)
    sys.exit(SKIPPED)


def run(*command, text="", **options):
    """A command that has to work, with `text` on its stdin; what it says is returned, or is part of
    the complaint when it fails."""
    done = subprocess.run([str(word) for word in command], text=True, input=text, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


def _become_root():
    if os.geteuid() == 0:
        return
    if subprocess.run(["sudo", "-n", "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        leave_out("it needs root, or a sudo that asks for no password")
    passed_on = [f"{name}={value}" for name, value in os.environ.items()
                 if name.startswith("BELAY_") or name in PASSED_ON]
    os.execvp("sudo", ["sudo", "-n", "env", *passed_on, sys.executable, *sys.argv])


def _require_namespaces():
    for program in ["ip", "unshare", "nsenter", "pivot_root", "sshd", "nix", "ssh-keygen"]:
        if not shutil.which(program, path=SYSTEM_PATH):
            leave_out(f"there is no {program}; tests/run.sh installs it")
    for file in ["/etc/passwd", "/etc/hosts"]:  # over which the world's own are put
        if not os.path.exists(file):
            leave_out(f"this machine has no {file}")
    attempt = ["unshare", *NAMESPACES, "--fork", "--mount-proc", "sh", "-c",
               "mount -t tmpfs none /run && ip link add belay-probe type bridge"]
    tried = subprocess.run(attempt, capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        leave_out(f"no namespaces of its own: {tried.stderr.strip()}")


def _start_inside():
    """Waits for the world to end and hands signals on to its first process. --pdeathsig and
    --kill-child make SIGKILL of this process the end of all the others."""
    environment = {"PATH": SYSTEM_PATH, "LANG": "C.UTF-8", INSIDE: uuid.uuid4().hex[:6]}
    environment |= {name: value for name, value in os.environ.items()
                    if name.startswith("BELAY_") or name in PASSED_ON}
    outer = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "unshare", *NAMESPACES, "--fork",
                              "--kill-child", "--mount-proc", sys.executable, *sys.argv],
                             env=environment)

    def hand_on(number, _frame):
        try:
            os.kill(first_child(outer.pid), number)
        except (LookupError, ProcessLookupError):
            outer.kill()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, hand_on)
    code = outer.wait()
    _remove_control_groups(environment[INSIDE])
    return code if code >= 0 else 128 - code


def _remove_control_groups(own):
    """The one thing that does not go by itself: hosts with systemd have had some."""
    for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
        _, folder, kind = line.split()[:3]
        if kind == "cgroup2":
            for group in pathlib.Path(folder).glob(f"belay-{own}-*"):
                for path, _, _ in os.walk(group, topdown=False):
                    os.rmdir(path)


def first_child(pid):
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    if not children:
        raise LookupError(f"process {pid} has no child")
    return int(children[0])


def _furnish(keep):
    os.chdir("/")
    _end_on_signals()
    _replace_folder("/tmp", keep)
    _replace_folder("/run", keep)
    (FLEET / "nix").mkdir(parents=True)
    HOME.mkdir(mode=0o700)
    pathlib.Path("/run/netns").mkdir()
    pathlib.Path("/nix").mkdir(exist_ok=True)
    run("mount", "--bind", FLEET / "nix", "/nix")
    _move_home()


def _end_on_signals():
    """The first process of a PID namespace is deaf to signals that it does not handle."""
    def end(number, _frame):
        raise SystemExit(128 + number)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)


def _replace_folder(folder, keep):
    """Puts an empty tmpfs over `folder` and what must stay visible below it back in."""
    kept = [path for path in keep if path.exists() and path.is_relative_to(folder)]
    handles = [os.open(path, os.O_PATH) for path in kept]
    run("mount", "-t", "tmpfs", "-o", "mode=1777" if folder == "/tmp" else "mode=0755", "tmpfs",
        folder)
    for path, handle in zip(kept, handles):
        path.mkdir(parents=True, exist_ok=True)
        run("mount", "--no-canonicalize", "--bind", f"/proc/{os.getpid()}/fd/{handle}", path)
        os.close(handle)


def _move_home():
    """ssh takes the home folder from the password database, never from $HOME."""
    entries = pathlib.Path("/etc/passwd").read_text().splitlines()
    moved = ["root:x:0:0:root:%s:/bin/sh" % HOME if entry.startswith("root:") else entry
             for entry in entries]
    put_over("/etc/passwd", "\n".join(moved) + "\n")
    os.environ.update(HOME=str(HOME), USER="root", LOGNAME="root")


def put_over(path, text):
    """Another content for a file of the machine, as seen from inside."""
    replacement = FLEET / "over" / path.lstrip("/")
    replacement.parent.mkdir(parents=True, exist_ok=True)
    replacement.write_text(text)
    run("mount", "--bind", replacement, path)
