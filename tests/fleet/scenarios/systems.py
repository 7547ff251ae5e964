# SPDX-License-Identifier: Apache-2.0
"""Hosts of another system than the runner's, as the host itself says it (its shell runs under a
personality in which the kernel calls itself i686), whatever the flake says."""

import os
import pathlib
import shutil

from fleet import check, world
from fleet.flake import Expression, node, package
from fleet.fleet import hosts
from fleet.host import SYSTEM
from fleet.runner import FOLDER, binary, deploy
from scenarios import remote_build

SHELL = "#!/bin/sh\nexec setarch linux32 /bin/sh \"$@\"\n"
FOREIGN = "i686-linux"


def made_foreign(host):
    """Whoever logs in finds himself on a machine that `uname` calls i686."""
    if SYSTEM != "x86_64-linux":
        world.leave_out("only an x86_64 kernel can call itself i686")
    shell = host.path("/root/shell")
    shell.write_text(SHELL)
    shell.chmod(0o755)
    passwd = host.path("/etc/passwd")
    passwd.write_text(passwd.read_text().replace(":/root:/bin/sh\n", ":/root:/root/shell\n"))
    return host


def agent_marked(path, mark):
    """An agent that runs, and is not the runner's own: something follows the program's end."""
    path.parent.mkdir(parents=True)
    shutil.copy(pathlib.Path(binary()).parent / "belay-agent", path)
    with open(path, "ab") as program:
        program.write(mark.encode())
    path.chmod(0o755)
    return path


def marks(host):
    """What follows the ends of the agents that the host's store has."""
    return {path.read_bytes().rpartition(b"mark:")[2].decode()
            for path in host.path("/nix/store").glob("*-belay-agent") if path.is_file()}


@hosts(1)
def agent_of_the_runner(fleet):
    web = made_foreign(fleet["web-1"])
    folder = FOLDER / "agents"
    agent_marked(folder / FOREIGN / "belay-agent", "mark:foreign")
    agent_marked(folder / "belay-agent-unused" / "belay-agent", "mark:unused")
    os.environ["BELAY_AGENT_DIR"] = str(folder)
    remote_build.give_secret(web)
    check.ended(deploy(remote_build.nodes(fleet, "one")), 0)
    check.runs(web, 1, "one", "one-of-web-1")
    check.equal(marks(web), {"foreign"}, "agents")


@hosts(2)
def nobody_has_an_agent(fleet):
    """An error that says what to do, before anything is built - here, for this host or for another -
    or copied."""
    web = made_foreign(fleet["web-1"])
    nodes = {name: node(fleet[name], package(f"one-of-{name}")) for name in ("web-1", "web-2")}
    run = check.ended(deploy(nodes), 22)
    check.equal(run.select("build.finished"), [], "builds")
    [build] = run.select("stage.finished", node="web-1", stage="build")
    check.equal(build["data"]["outcome"], "skipped", "build")
    remote_build.not_on_the_runner("one-of-web-1")
    remote_build.not_on_the_runner("one-of-web-2")
    check.equal(run.node("web-1")["reason"], "agent-missing", "reason")
    [copy] = run.select("stage.finished", node="web-1", stage="copy")
    for words in [FOREIGN, "BELAY_AGENT_DIR", "nor does the closure"]:
        assert words in copy["msg"], f"{words!r} is not in: {copy['msg']}"
    for host in fleet:
        check.untouched(host)
        check.equal(list(host.path("/nix").glob("store/*")), [], "store")


def closure_with_agent(version):
    return Expression(r'''(derivation {
      name = "app-%s"; system = "%s"; builder = "/bin/sh"; PATH = "/usr/bin:/bin"; agent = ./own/belay-agent;
      args = [ "-c" "set -eu; mkdir $out; ln -s $agent $out/belay-agent; { echo '#!/bin/sh'; echo echo %s '>>/var/lib/activated'; } >$out/deploy-rs-activate; chmod +x $out/deploy-rs-activate" ];
    })''' % (version, SYSTEM, version))


@hosts(1)
def agent_of_the_closure(fleet):
    """Built here, and built there."""
    web = made_foreign(fleet["web-1"])
    agent_marked(FOLDER / "flake/own/belay-agent", "mark:of the closure")
    run = check.ended(deploy({"web-1": node(web, closure_with_agent("one"))}), 0)
    check.runs(web, 1, "one", "one")
    check.equal(marks(web), {"of the closure"}, "agents")
    said = [event["msg"] for event in run.select("log")]
    assert any("the closure's own is used" in text for text in said), said
    assert any(f"it is {FOREIGN}" in text and f"built as {SYSTEM}" in text for text in said), said
    check.ended(deploy({"web-1": node(web, closure_with_agent("two"), remoteBuild=True)}), 0)
    check.runs(web, 2, "two", "one two")
    remote_build.not_on_the_runner("two")
    check.equal(marks(web), {"of the closure"}, "agents")


@hosts(1)
def agent_of_the_closure_does_not_start(fleet):
    """Nobody is touched, and it is said whose agent it was that said no such thing as a greeting."""
    web = made_foreign(fleet["web-1"])
    own = FOLDER / "flake/own/belay-agent"
    own.parent.mkdir(parents=True)
    own.write_text("#!/bin/sh\necho no such instruction >&2\nexit 126\n")
    own.chmod(0o755)
    run = check.ended(deploy({"web-1": node(web, closure_with_agent("one"))}), 10)
    [lock] = run.select("stage.finished", node="web-1", stage="lock")
    for words in ["no such instruction", "it is the closure's own, since this belay has none for "
                  + FOREIGN, "BELAY_AGENT_DIR"]:
        assert words in lock["msg"], f"{words!r} is not in: {lock['msg']}"
    check.untouched(web)


FOR_POWER = Expression('''(derivation {
  name = "app-one"; system = "powerpc64le-linux"; builder = "/bin/sh"; args = [ "-c" "mkdir $out" ];
})''')


@hosts(1)
def not_for_this_system(fleet):
    """What the target's own Nix does not build for is not sent there."""
    web = fleet["web-1"]
    run = check.ended(deploy({"web-1": node(web, FOR_POWER, remoteBuild=True)}), 21)
    [stage] = run.select("stage.finished", node="web-1", stage="build")
    for words in ["built for powerpc64le-linux", SYSTEM, "extra-platforms"]:
        assert words in stage["msg"], f"{words!r} is not in: {stage['msg']}"
    check.untouched(web)
    check.equal(list(web.path("/nix").glob("store/*-*")), [], "store")
