# SPDX-License-Identifier: Apache-2.0
"""storeSudo: a login whom the host's Nix daemon does not trust hands closures over as the profile's
owner, by the same sudo as the activation; no signature is looked at, and that is said."""

from fleet import check, privilege
from fleet.fleet import hosts
from fleet.runner import deploy
from scenarios import remote_build, sudo

ALLOW_WITH_PASSWORD = sudo.WITH_PASSWORD + ", /nix/store/*-belay-agent store"


def stranger(host, *sudoers):
    """The user `deploy` as sudo.with_deploy makes him, but unknown to the daemon."""
    sudo.with_deploy(host, *sudoers)
    path = host.path("/etc/nix/nix.conf")
    path.write_text(path.read_text().replace("root deploy", "root"))
    host.reboot()
    return host


def plan(*settings):
    return "version: 1\nflake: .\nsettings: {" + ", ".join(settings) + "}\n"


def copy_of(run, host):
    [copy] = run.select("stage.finished", node=host.name, stage="copy")
    return copy


@hosts(1)
def a_stranger_and_his_sudo(fleet):
    """Without it the refusal names it as a way out; with it the same deploy goes."""
    web = stranger(fleet["web-1"], sudo.ALLOW_STORE)
    run = check.ended(deploy(sudo.nodes(web, "one")), 22)
    said = copy_of(run, web)["msg"]
    for words in ["does not trust deploy", "trusted-public-keys", "trusted-users", "storeSudo",
                  "as root"]:
        assert words in said, f"{words!r} is not in: {said}"
    check.untouched(web)
    run = check.ended(deploy(sudo.nodes(web, "one"), plan=plan("storeSudo: true")), 0)
    check.runs(web, 1, "one", "one")
    check.equal(copy_of(run, web)["data"]["details"], {"store_access": "sudo"}, "details of copy")
    assert any("no signature is checked" in event["msg"] for event in run.select("log")), "log"
    check.quiet(web)


@hosts(1)
def with_a_password_over_both_transports(fleet):
    web = stranger(fleet["web-1"], ALLOW_WITH_PASSWORD)
    settings = ["storeSudo: true", "sudoPasswordEnv: DEPLOY_SUDO"]
    sudo.set_password(sudo.PASSWORD)
    for number, transport in enumerate(["libssh2", "openssh"], 1):
        run = deploy(sudo.nodes(web, f"v{number}"),
                     plan=plan(*settings, f"transport: {transport}"))
        check.ended(run, 0)
        check.equal(check.installed(web), (number, f"v{number}"), "profile")
        for path in ["events.jsonl", "console", "junit.xml"]:
            assert sudo.PASSWORD not in (run.out / path).read_text(), path
    sudo.set_password(sudo.WRONG)
    run = check.ended(deploy(sudo.nodes(web, "v3"), plan=plan(*settings)), 30)
    check.equal(run.node("web-1")["reason"], "secret", "reason")
    check.runs(web, 2, "v2", "v1 v2")


@hosts(1)
def a_sudo_that_lets_nobody_in(fleet):
    """The line that is missing is named, and with it the deploy goes."""
    web = stranger(fleet["web-1"], sudo.ALLOW)
    run = check.ended(deploy(sudo.nodes(web, "one"), plan=plan("storeSudo: true")), 30)
    said = copy_of(run, web)["msg"]
    line = "deploy ALL=(root) NOPASSWD: /nix/store/*-belay-agent store"
    assert line in said, said
    check.untouched(web)
    privilege.sudoers(web, sudo.ALLOW, line)
    check.ended(deploy(sudo.nodes(web, "one"), plan=plan("storeSudo: true")), 0)
    check.runs(web, 1, "one", "one")


@hosts(1)
def builds_there_by_sudo(fleet):
    web = stranger(fleet["web-1"], sudo.ALLOW_STORE)
    remote_build.give_secret(web)
    nodes = remote_build.nodes([web], "one")
    nodes["web-1"]["sshUser"] = "deploy"
    check.ended(deploy(nodes, plan=plan("storeSudo: true")), 0)
    check.runs(web, 1, "one", "one-of-web-1")
