# SPDX-License-Identifier: Apache-2.0
"""The flake's checks come before anything is built, and what was built can be kept."""

import os
import pathlib
import signal

from fleet import check, flake, world
from fleet.flake import node, package, profile
from fleet.fleet import each_nix, hosts
from fleet.host import SYSTEM
from fleet.runner import FOLDER, Run, deploy, start, wait_until


def checks(**scripts):
    """Outputs with a check a script."""
    made = {name.replace("_", "-"): flake.Expression(
        f"derivation {{ name = {flake.to_nix('check-' + name)}; system = {flake.to_nix(SYSTEM)}; "
        f'builder = "/bin/sh"; PATH = "/usr/bin:/bin"; args = [ "-c" {flake.to_nix(script)} ]; }}')
            for name, script in scripts.items()}
    return f"checks.{SYSTEM} = {flake.to_nix(made)};"


def made(run):
    """flake -> (outcome, names of what failed), of each check.finished."""
    told = run.select("check.finished")
    found = {event["data"]["flake"]: (event["data"]["outcome"], event["data"]["failed"])
             for event in told}
    check.equal(len(found), len(told), "check.finished, each flake once")
    return found


@each_nix
@hosts(1)
def before_the_deploy(fleet):
    [web] = fleet
    run = check.ended(deploy({"web-1": node(web, package("one"))}, ".#web-1", ".#web-1.system",
                             checks=True, outputs=checks(good="echo looking; echo >$out")), 0)
    check.runs(web, 1, "one", "one")
    check.equal(made(run), {".": ("success", [])}, "check.finished")
    [ended], [resolved] = run.select("check.finished"), run.select("plan.resolved")
    assert ended["seq"] < resolved["seq"], "the checks come before the nodes are announced"
    assert run.select("log", stage="check", text="looking"), "the checks' logs"
    assert "  checking ." in run.console(), run.console()
    check.equal(run.cases()["(plan)", "check"], "passed", "JUnit")
    skipped = check.ended(deploy({"web-1": node(web, package("one"))}), 0)
    check.equal(made(skipped), {}, "check.finished with --skip-checks")


@each_nix
@hosts(1)
def one_fails(fleet):
    [web] = fleet
    run = check.ended(deploy({"web-1": node(web, package("one"))}, checks=True, outputs=checks(
        deploy_schema="echo hostname is missing; exit 3")), 20)
    check.untouched(web)
    name = f"checks.{SYSTEM}.deploy-schema"
    check.equal(made(run), {".": ("failure", [name])}, "check.finished")
    check.equal(run.select("plan.resolved"), [], "plan.resolved")
    check.equal(run.cases()["(plan)", "check"], "failure check-failed", "JUnit")
    assert f" check  {name} of .: " in run.console(), run.console()
    assert "hostname is missing" in run.console(), run.console()


@hosts(1)
def each_flake_once(fleet):
    [web] = fleet
    good = flake.write(FOLDER / "good", {"web-1": node(web, package("one"))})
    flake.write(FOLDER / "bad", {"web-2": node(web, package("two"))}, outputs=checks(bad="exit 1"))
    run = check.ended(Run(good, "../bad", ".#web-1", ".#web-1.system", checks=True).wait(), 20)
    check.equal(made(run), {"../bad": ("failure", [f"checks.{SYSTEM}.bad"]), ".": ("success", [])},
                "check.finished")
    check.equal(run.cases()["(plan)", "check ."], "passed", "JUnit")
    check.untouched(web)


@hosts(1)
def a_signal_ends_them(fleet):
    [web] = fleet
    run = start({"web-1": node(web, package("one"))}, checks=True,
                outputs=checks(slow="echo begun; exec sleep 997"))
    run.wait_for("log", text="begun")
    check.ended(run.kill(signal.SIGTERM).wait(), 143)
    check.equal(made(run), {".": ("cancelled", [])}, "check.finished")
    check.untouched(web)
    wait_until(lambda: "sleep 997" not in world.run("ps", "-eo", "args"), "the builder is gone")


@hosts(1)
def nix_arguments_reach_them(fleet):
    [web] = fleet
    os.environ["MOOD"] = "good"
    folder = flake.write(
        FOLDER / "flake", {"web-1": node(web, package("one"))},
        outputs=f'checks.{SYSTEM}.mood = package (builtins.getEnv "MOOD") "" null;')
    check.ended(Run(folder, checks=True).wait(), 20) # a derivation without a name
    check.ended(Run(folder, ".", "--", "--impure", checks=True).wait(), 0)


@hosts(2)
def what_was_built_is_kept(fleet):
    """By links whose names stay in their folder, and which the next run replaces."""
    web, other = fleet
    hostile = "../we\"b\n1"

    def nodes(version):
        return {"web-1": node(web, package(version)),
                hostile: node(other, profiles={"a/b": profile(
                    package("app" + version), profilePath="/nix/var/nix/profiles/ab")})}

    def kept():
        found = {}
        for link in (FOLDER / "flake/links").rglob("*"):
            if link.is_symlink():
                found[str(link.relative_to(FOLDER / "flake/links"))] = os.readlink(link)
        return found

    check.ended(deploy(nodes("one"), "-k", "-r", "links"), 0)
    before = kept()
    check.equal(sorted(before), ["..%2Fwe\"b%0A1/a%2Fb", "web-1/system"], "links")
    check.ended(deploy(nodes("two"), "--keep-result", "--result-path=links"), 0)
    after = kept()
    check.equal(sorted(after), sorted(before), "links")
    assert all(after[name] != before[name] for name in after), "stale links"
    world.run("nix-collect-garbage")
    for path in after.values():
        assert os.path.exists(path), f"{path} was collected"
    for path in before.values():
        assert not os.path.exists(path), f"{path} is still there"
    check.ended(deploy(nodes("two"), "-k"), 0)
    assert (FOLDER / "flake/.deploy-gc/web-1/system").is_symlink(), "the folder of deploy-rs"
    (FOLDER / "flake/links/web-1/system").unlink()
    (FOLDER / "flake/links/web-1/system").mkdir()
    run = check.ended(deploy(nodes("two"), "-k", "-r", "links"), 21)
    assert "already exists" in run.console(), run.console()


FUNCTION = """\
{ name ? "one" }:
let
  package = version: derivation {
    name = "app-${version}"; system = "%s"; builder = "/bin/sh"; PATH = "/usr/bin:/bin";
    text = "#!/bin/sh\\necho ${version} >>/var/lib/activated\\n";
    args = [ "-c" "mkdir $out; printf '%%s' \\"$text\\" >$out/deploy-rs-activate; chmod +x $out/deploy-rs-activate" ];
  };
in {
  checks.%s.good = package "checked";
  deploy = {
    sshUser = "root"; user = "root"; confirmTimeout = 5;
    nodes.web-1 = { hostname = "web-1"; profiles.system.path = package name; };
  };
}
""" % (SYSTEM, SYSTEM)


@each_nix
@hosts(1)
def a_file_without_a_flake(fleet):
    [web] = fleet
    folder = pathlib.Path(FOLDER / "plain")
    folder.mkdir(parents=True)
    (folder / "default.nix").write_text(FUNCTION)
    run = check.ended(Run(folder, "-f", "default.nix", "web-1.system", checks=True).wait(), 0)
    check.runs(web, 1, "one", "one")
    check.equal(made(run), {"default.nix": ("success", [])}, "check.finished")
    lost = check.ended(Run(folder, "--file", "gone.nix").wait(), 20)
    assert "gone.nix is not there" in lost.console(), lost.console()
    unknown = check.ended(Run(folder, "--file", "default.nix", "web-2").wait(), 3)
    assert "web-2" in unknown.console(), unknown.console()
    settings = pathlib.Path(os.environ["NIX_CONF_DIR"], "nix.conf")
    settings.write_text(settings.read_text().replace("nix-command flakes", ""))
    check.ended(Run(folder, ".#web-1", checks=True).wait(), 0)
    check.runs(web, 1, "one", "one one")
