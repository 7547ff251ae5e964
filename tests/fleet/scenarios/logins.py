# SPDX-License-Identifier: Apache-2.0
"""A node whose profiles have logins of their own. sshd's log is the witness: it names user and key."""

import re

from fleet import check, world
from fleet.flake import node, package, profile
from fleet.fleet import hosts
from fleet.runner import deploy, start, wait_until


def add_key(host, name):
    """A further key of the runner, which root accepts, and the ssh options that choose it."""
    key = world.HOME / ".ssh" / name
    world.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", key)
    with open(host.path("/root/.ssh/authorized_keys"), "a", encoding="utf-8") as keys:
        keys.write(key.with_suffix(".pub").read_text())
    return ["-i", str(key), "-o", "IdentitiesOnly=yes"]


def key_names():
    """Fingerprint -> name of each of the runner's keys."""
    return {world.run("ssh-keygen", "-l", "-f", public).split()[1]: public.stem
            for public in (world.HOME / ".ssh").glob("*.pub")}


def logins(host):
    """User and key of each login so far, in order."""
    names = key_names()
    return [(user, names[fingerprint]) for user, fingerprint in re.findall(
        r"Accepted publickey for (\S+) .*(SHA256:\S+)", host.read("/var/log/sshd.log"))]


def transactions(host):
    return [path.name for path in host.path("/nix/var/nix/belay").iterdir()
            if re.fullmatch("[0-9a-f]{8,64}", path.name)]


def with_keys(host, version, keys, script=""):
    """Two profiles of root, each with a key; `script` is in that of the second."""
    return {host.name: node(host, profilesOrder=["system", "site"], profiles={
        "system": profile(package(f"system-{version}"), sshOpts=keys[0]),
        "site": profile(package(f"site-{version}", script), sshOpts=keys[1])})}


@hosts(1)
def two_keys_of_one_user(fleet):
    """They meet in root's state directory: one transaction, and each confirms for itself."""
    [web] = fleet
    keys = [add_key(web, "first"), add_key(web, "second")]
    run = check.ended(deploy(with_keys(web, "one", keys)), 0)
    check.equal(logins(web), 2 * [("root", "first"), ("root", "second")], "logins")
    check.equal(len(transactions(web)), 1, "transactions")
    check.equal((check.installed(web), check.installed(web, "site")),
                ((1, "system-one"), (1, "site-one")), "profiles")
    for name in ["system", "site"]:
        said = [event["data"]["text"] for event in run.select("log", profile=name)
                if event["data"]["stream"] == "activation"]
        check.equal(said, [f"activating {name}-one"], f"log of {name}")
    check.quiet(web, 5)


@hosts(1)
def a_key_that_is_shut_out(fleet):
    """Profile `site` takes its own key away. The other login still works, but it is not the one
    that the next deploy of `site` needs: both profiles go back."""
    [web] = fleet
    keys = [add_key(web, "first"), add_key(web, "second")]
    mend = "cd /root/.ssh; test ! -e all || mv all authorized_keys\n"
    shut = ("cd /root/.ssh; cp -p authorized_keys all\n"
            "while read -r key; do case $key in *second) ;; *) echo \"$key\";; esac\n"
            "done <all >authorized_keys\n")
    check.ended(deploy(with_keys(web, "one", keys, mend)), 0)
    run = check.ended(deploy(with_keys(web, "two", keys, shut)), 11)
    check.equal(run.node("web-1")["reason"], "confirm-timeout", "reason")
    check.equal((check.installed(web), check.installed(web, "site")),
                ((1, "system-one"), (1, "site-one")), "profiles")
    back = {(event["profile"], event["data"]["verified"])
            for event in run.select("node.rolled_back")}
    check.equal(back, {("system", True), ("site", True)}, "node.rolled_back")
    check.quiet(web)


@hosts(1)
def two_users(fleet):
    """Each in his own state directory, copied to and confirmed as himself."""
    [web] = fleet
    web.serve_nix(trusted_users=["app"])
    run = check.ended(deploy({"web-1": node(web, profilesOrder=["system", "site"], profiles={
        "system": profile(package("system-one")),
        "site": profile(package("site-one", "id -un >>/home/app/who\n"), sshUser="app",
                        user="app")})}), 0)
    check.equal(logins(web), 2 * [("root", "id_ed25519"), ("app", "id_ed25519")], "logins")
    check.equal(check.installed(web), (1, "system-one"), "profile of root")
    check.equal(check.installed(web, "site", "app"), (1, "site-one"), "profile of app")
    check.equal(web.read("/home/app/who"), "app\n", "who ran the script")
    check.equal(run.node("web-1")["outcome"], "success", "outcome")
    check.quiet(web)


@hosts(1)
def the_other_one_is_not_forgotten(fleet):
    """While one user's profile waits for its confirmation, longer than a transaction that nobody
    asks for lives, the other one's can still be taken back."""
    [web] = fleet
    web.serve_nix(trusted_users=["app"])

    def deploys(version, script):
        return start({"web-1": node(web, profilesOrder=["system", "site"], confirmTimeout=75,
                                     profiles={
            "system": profile(package(f"system-{version}")),
            "site": profile(package(f"site-{version}", script), sshUser="app", user="app")})})

    keys = "/home/app/.ssh/authorized_keys"
    check.ended(deploys("one", f"test ! -e {keys}.away || mv {keys}.away {keys}\n").wait(), 0)
    run = deploys("two", f"mv {keys} {keys}.away\n")
    wait_until(lambda: run.process.poll() is not None, "the deploy ends", seconds=130)
    check.ended(run.wait(), 11)
    check.equal(run.node("web-1")["reason"], "confirm-timeout", "reason")
    check.equal((check.installed(web), check.installed(web, "site", "app")),
                ((1, "system-one"), (1, "site-one")), "profiles")
    check.quiet(web)
