# SPDX-License-Identifier: Apache-2.0
"""deploy-rs's own conversation over real logins with a closure of our lib: `activate` in one, `wait`
in a second, `rm` of the canary in a third. The host is belay's all the same."""

import os
import pathlib
import shutil
import subprocess

from fleet import check, flake, privilege, world
from fleet.flake import node, package
from fleet.fleet import hosts
from fleet.runner import binary, deploy, wait_until

CLOSURE = """\
  let
    lib = import %(lib)s {
      system = builtins.currentSystem;
      shell = "/bin/bash";
      coreutils = "/usr";
      agent = builtins.path { path = %(agent)s; name = "agent"; };
    };
    base = derivation {
      name = "app-%(version)s";
      system = builtins.currentSystem;
      builder = "/bin/sh";
      PATH = "/usr/bin";
      args = [ "-c" "mkdir $out" ];
    };
  in (lib.activate.custom // { boot = "echo boot:%(version)s >>/var/lib/activated"; }) base %(script)s
"""


def closure(version, script=""):
    """The path of a closure that our lib made, in the runner's store."""
    agent = world.FLEET / "agent"
    if not agent.exists():
        (agent / "bin").mkdir(parents=True)
        shutil.copy(pathlib.Path(binary()).with_name("belay-agent"), agent / "bin")
    mark = f"echo {version} >>/var/lib/activated\n"
    return world.run("nix-build", "--no-out-link", "--quiet", "-E", CLOSURE % {
        "lib": world.REPOSITORY / "nix/lib.nix", "agent": agent, "version": version,
        "script": flake.to_nix(mark + script)}, env={**os.environ, "NIX_PATH": ""}
                     ).strip().splitlines()[-1]


def canary(path):
    return "/tmp/deploy-rs-canary-" + os.path.basename(path)[:32]


class Deploy:
    """What deploy-rs does with one closure and one host, login by login."""

    def __init__(self, host, path, user="root", login="root", profile="system"):
        self.path, self.activating = path, None
        self.target = f"{login}@{host.name}"
        self.sudo = "" if user == login else f"sudo -u {user} "
        self.profile = f"--profile-user {user} --profile-name {profile}"
        world.run("nix", "copy", "--no-check-sigs", "--to", f"ssh://{self.target}", path)

    def ssh(self, command):
        return subprocess.Popen(["ssh", "-o", "BatchMode=yes", self.target, self.sudo + command],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)

    def activate(self, *flags, timeout=20):
        self.activating = self.ssh(
            f"{self.path}/activate-rs --debug-logs activate '{self.path}' {self.profile} --temp-path"
            f" '/tmp' --confirm-timeout {timeout} --auto-rollback {' '.join(flags)}")
        return self

    def wait(self, timeout=20):
        return self.end(self.ssh(f"{self.path}/activate-rs --debug-logs wait '{self.path}'"
                                 f" --temp-path '/tmp' --activation-timeout {timeout}"))

    def confirm(self):
        return self.end(self.ssh(f"rm '{canary(self.path)}'"))

    def revoke(self):
        return self.end(self.ssh(f"{self.path}/activate-rs --debug-logs revoke {self.profile}"))

    def ended(self):
        return self.end(self.activating)

    @staticmethod
    def end(process):
        said = process.communicate(timeout=60)[0]
        return process.returncode, said


def good(result):
    check.equal(result[0], 0, f"exit code; it said: {result[1]}")


def bad(result):
    check.equal(result[0], 1, f"exit code; it said: {result[1]}")


def deployed(host, path, **who):
    one = Deploy(host, path, **who).activate("--magic-rollback")
    good(one.wait())
    good(one.confirm())
    good(one.ended())
    return one


@hosts(1)
def confirmed_refused_revoked(fleet):
    [web] = fleet
    deployed(web, closure("one"))
    check.runs(web, 1, "one", "one")

    late = Deploy(web, closure("two")).activate("--magic-rollback", timeout=1)
    good(late.wait())
    bad(late.ended())
    bad(late.confirm())
    check.runs(web, 1, "one", "one two one")

    broken = Deploy(web, closure("three", "exit 4")).activate("--magic-rollback")
    bad(broken.ended())
    check.runs(web, 1, "one", "one two one three one")

    taken_back = deployed(web, closure("four"))
    check.runs(web, 2, "four", "one two one three one four")
    good(taken_back.revoke())
    check.runs(web, 1, "one", "one two one three one four one")
    check.quiet(web)


@hosts(1)
def login_lost(fleet):
    """The first login dies in the middle of the activation: it goes on, and can be confirmed."""
    [web] = fleet
    script = "echo $$ >/var/lib/activating; while [ ! -e /var/lib/go-on ]; do sleep 0.02; done\n"
    one = Deploy(web, closure("one", script)).activate("--magic-rollback", timeout=30)
    wait_until(lambda: web.read("/var/lib/activating"), "the script runs")
    one.activating.kill()
    one.activating.communicate()
    web.path("/var/lib/go-on").touch()
    good(one.wait())
    good(one.confirm())
    wait_until(lambda: not check.agents(web), "the transaction is over")
    check.runs(web, 1, "one", "one")


def signalled(host, signal, processes=()):
    """What deploy-rs's first login has started: its processes."""
    found = processes or [str(pid) for pid, words in host.processes().items()
                          if "activate-rs --debug-logs activate" in words]
    assert found, host.processes()
    host.output("kill", "-" + signal, *found)
    return found


def journals(host):
    return host.output("/bin/sh", "-c", "cat /nix/var/nix/belay/*/journal")


@hosts(1)
def login_stopped(fleet):
    """It watches no longer, and is not needed: `rm` succeeds, and the new one stays; or it expires
    first, and `rm` fails."""
    [web] = fleet
    deployed(web, closure("one"))
    two = Deploy(web, closure("two")).activate("--magic-rollback", timeout=5)
    good(two.wait())
    stopped = signalled(web, "STOP")
    good(two.confirm())
    wait_until(lambda: journals(web).count('"confirmed"') == 2, "it is confirmed")
    check.runs(web, 2, "two", "one two")
    signalled(web, "CONT", stopped)
    good(two.ended())
    late = Deploy(web, closure("three")).activate("--magic-rollback", timeout=1)
    good(late.wait())
    stopped = signalled(web, "STOP")
    wait_until(lambda: '"rolled-back"' in journals(web), "it has expired")
    bad(late.confirm())
    check.runs(web, 2, "two", "one two three two")
    signalled(web, "CONT", stopped)
    bad(late.ended())
    check.quiet(web)


@hosts(1)
def dry_run_and_boot(fleet):
    """Nothing is confirmed, though deploy-rs says --magic-rollback all the same."""
    [web] = fleet
    deployed(web, closure("one"))
    dry = Deploy(web, closure("two")).activate("--magic-rollback", "--dry-activate").ended()
    good(dry)
    assert "is not described" in dry[1], dry
    check.runs(web, 1, "one", "one")
    boot = Deploy(web, closure("three")).activate("--magic-rollback", "--boot")
    good(boot.ended())
    check.runs(web, 2, "three", "one boot:three")
    good(boot.revoke())
    check.runs(web, 1, "one", "one boot:three boot:one")
    check.quiet(web)


@hosts(1)
def another_owner(fleet):
    """By sudo, as a user with a profile of his own; the login may remove his canary only by sudo."""
    [web] = fleet
    privilege.require()
    web.add_user("deploy", 1001)
    web.serve_nix(trusted_users=["deploy"])
    # Nix 2.8's daemon makes it for whoever connects, and so moves a profile that was in the home.
    web.output("install", "-d", "-o", "app", "/nix/var/nix/profiles/per-user/app")
    privilege.sudoers(web, "deploy ALL=(app) NOPASSWD: ALL")
    who = {"user": "app", "login": "deploy", "profile": "site"}
    deployed(web, closure("one"), **who)
    check_owner = 'test "$(id -un)$HOME" = app/home/app'
    two = deployed(web, closure("two", check_owner), **who)
    check.equal(check.installed(web, "site", "app"), (2, "two"), "profile of app")
    good(two.revoke())
    check.equal(check.installed(web, "site", "app"), (1, "one"), "profile of app")
    check.equal(check.activated(web), "one two one".split(), "activations")
    check.equal(check.installed(web), None, "root's profile")
    check.quiet(web)


@hosts(1)
def belay_in_between(fleet):
    """Both deploy the same host, each finds what the other one left; both at once are not let in."""
    [web] = fleet
    check.ended(deploy({"web-1": node(web, package("one"))}), 0)
    two = Deploy(web, closure("two")).activate("--magic-rollback")
    good(two.wait())
    run = check.ended(deploy({"web-1": node(web, package("three"))}, "--lock-wait", "0"), 15)
    check.equal(run.node("web-1")["reason"], "lock-held", "while deploy-rs's is not confirmed")
    good(two.confirm())
    good(two.ended())
    run = check.ended(deploy({"web-1": node(web, package("three", "exit 4\n"))}), 11)
    check.rolled_back(run, web, "activation", 3, 2)
    check.runs(web, 2, "two", "one two three two")
    check.ended(deploy({"web-1": node(web, package("four"))}), 0)
    bad(two.revoke())
    check.runs(web, 3, "four", "one two three two four")
