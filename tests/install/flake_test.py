#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""flake.nix and nix/ say what they should, as far as that can be known without nixpkgs: it is
evaluated against tests/install/nixpkgs, and nothing of it is built.

    flake_test.py NAME BUILD_FOLDER      one of the functions below
"""

import json
import os
import pathlib
import re
import shutil
import sys

import place

SYSTEMS = ["aarch64-linux", "x86_64-linux"]
TARGETS = ["aarch64-linux", "i686-linux", "riscv64-linux", "x86_64-linux"]
OF_THE_FLAKE = ["flake.nix", "nix", "CMakeLists.txt", "cmake", "engine", "reporters", "runner",
                "docs", "README.md", "LICENSE", "ci-examples", "tests", ".clang-format"]


class Flake:
    """Ours, in a folder of its own, with the stub as its nixpkgs."""

    def __init__(self, work):
        self.folder, self.environment = work / "flake", place.private_nix(work)
        self.folder.mkdir()
        for name in OF_THE_FLAKE:
            source, copy = place.REPOSITORY / name, self.folder / name
            if source.is_dir():
                shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, copy)

    def nix(self, *words, **options):
        stub = place.REPOSITORY / "tests/install/nixpkgs"
        return place.run("nix", *words, "--no-write-lock-file", "--override-input", "nixpkgs",
                         f"path:{stub}", env=self.environment, **options)

    def value(self, attribute, function="x: x"):
        return json.loads(self.nix("eval", "--json", f"path:{self.folder}#{attribute}",
                                   "--apply", function))


def outputs(work):
    """Each output is of its kind, all of it evaluates, and none is missing."""
    flake = Flake(work)
    flake.nix("flake", "check", "--no-build", f"path:{flake.folder}")
    shown = json.loads(flake.nix("flake", "show", "--json", f"path:{flake.folder}"))
    place.equal(sorted(shown), ["apps", "checks", "devShells", "formatter", "lib",
                                "nixosModules", "overlay", "overlays", "packages"], "outputs")
    packages = sorted(["default", "belay", "belay-agent", "belay-with-every-agent", "deploy-rs",
                       *(f"belay-agent-{target}" for target in TARGETS)])
    for system in SYSTEMS:
        place.equal(sorted(shown["packages"][system]), packages, f"packages of {system}")
        place.equal(sorted(shown["apps"][system]), ["belay", "default", "deploy-rs"], f"apps of {system}")


def programs(work):
    """The packages are this version, know CMake's switches, and carry the agents that they say."""
    flake = Flake(work)
    cmake = (place.REPOSITORY / "CMakeLists.txt").read_text()
    [version] = re.findall(r"project\(belay VERSION ([0-9.]+) ", cmake)
    facts = flake.value("packages.x86_64-linux", """all: builtins.mapAttrs (_: package: {
        inherit (package) version cmakeFlags;
        inherit (package.stdenv.hostPlatform) system isStatic;
        installed = package.installPhase or "";
      }) (removeAttrs all [ "deploy-rs" ])""")
    for name, package in facts.items():
        place.equal(package["version"], version, f"version of {name}")
        for flag in package["cmakeFlags"]:
            [option] = re.findall(r"-D(\w+):BOOL=(?:TRUE|FALSE)$", flag)
            assert f"option({option} " in cmake, f"{name}: there is no option {option}"
    for target in TARGETS:
        agent = facts[f"belay-agent-{target}"]
        place.equal((agent["system"], agent["isStatic"]), (target, True), f"agent of {target}")
    place.equal(agents_in(facts["belay"]), ["x86_64-linux"], "agents of belay")
    place.equal(agents_in(facts["belay-with-every-agent"]), TARGETS, "agents of the full one")


def agents_in(package):
    return sorted(re.findall(r"\$out/share/belay/agents/([^/]+)/belay-agent\n",
                             package["installed"]))


def sources(work):
    """What is built depends on what it is built from, and on nothing else."""
    flake = Flake(work)
    (flake.folder / "tests/noise").write_text("a change that concerns no program")
    [source] = {flake.value(f"packages.{system}.belay-agent.src") for system in SYSTEMS}
    place.equal(sorted(os.listdir(source)), ["CMakeLists.txt", "LICENSE", "cmake", "engine"],
                "what the agent is built from")
    place.equal(sorted(os.listdir(f"{source}/engine")), ["agent", "base"], "layers of the agent")
    place.run("cmake", "-S", source, "-B", work / "out", "-DBELAY_RUNNER=OFF")
    source = flake.value("packages.x86_64-linux.belay.src")
    place.equal("tests" in os.listdir(source), False, "tests in the runner's source")


def lib(work):
    """Each system has deploy-rs's functions, and the overlay has them where deploy-rs's has them."""
    flake = Flake(work)
    functions = flake.value("lib", """builtins.mapAttrs (_: lib: {
        activate = builtins.attrNames lib.activate;
        lib = builtins.attrNames lib;
        made = (lib.activate.noop { name = "x"; outPath = builtins.storeDir; }).system;
      })""")
    place.equal(sorted(functions), sorted([*SYSTEMS, "aarch64-darwin", "x86_64-darwin"]), "systems")
    for system, found in functions.items():
        place.equal(found["activate"], ["custom", "darwin", "home-manager", "nixos", "noop"],
                    "functions that make a closure")
        place.equal(found["lib"], ["activate", "deployChecks", "setActivate"], "functions")
        place.equal(found["made"], system, "system of what they make")
    names = flake.value("overlays.default", """overlay:
        let final = { stdenv.hostPlatform.system = "x86_64-linux"; runtimeShell = "/bin/sh"; }
                    // overlay final { deploy-rs.pname = "theirs"; };
        in { theirs = final.deploy-rs.deploy-rs.pname;
             same = final.deploy-rs.pname;
             lib = builtins.attrNames final.deploy-rs.lib; }""")
    place.equal(names, {"theirs": "theirs", "same": "theirs",
                        "lib": ["activate", "deployChecks", "setActivate"]}, "overlay")


USER = """{
  inputs.deploy-rs.url = "path:%s";
  inputs.nixpkgs.url = "path:%s";
  inputs.deploy-rs.inputs.nixpkgs.follows = "nixpkgs";
  outputs = { self, nixpkgs, deploy-rs }:
    let
      system = "x86_64-linux";
      bare = { stdenv.hostPlatform.system = system; runtimeShell = "/bin/sh"; };
      with_ = overlay: let final = bare // overlay final { deploy-rs.pname = "theirs"; }; in final;
      base = { name = "x"; outPath = builtins.storeDir; };
    in {
      of.program = deploy-rs.packages.${system}.deploy-rs.script;
      of.app = deploy-rs.apps.${system}.deploy-rs.program
        == "${deploy-rs.packages.${system}.deploy-rs}/bin/deploy";
      of.made = map (lib: (lib.activate.noop base).system) [
        deploy-rs.lib.${system}
        (with_ deploy-rs.overlay).deploy-rs.lib
        (with_ deploy-rs.overlays.default).deploy-rs.lib
      ];
      of.checks = builtins.attrNames
        (builtins.mapAttrs (_: lib: lib.deployChecks { nodes = { }; }) deploy-rs.lib).${system};
    };
}
"""


def by_the_names_of_deploy_rs(work):
    """A flake that has changed its input's url and nothing else."""
    flake = Flake(work)
    user = work / "user"
    user.mkdir()
    (user / "flake.nix").write_text(USER % (flake.folder, place.REPOSITORY / "tests/install/nixpkgs"))
    made = json.loads(place.run("nix", "eval", "--json", "--no-write-lock-file", f"path:{user}#of",
                                env=flake.environment))
    place.equal(made["made"], ["x86_64-linux"] * 3, "what its lib makes")
    place.equal(made["checks"], ["deploy-activate", "deploy-schema"], "its checks")
    place.equal(made["app"], True, "the program of its app")
    assert re.fullmatch(r'exec /[^ ]+/bin/belay run "\$@"\n', made["program"]), made["program"]


def closures(work, build):
    """What the lib makes is built and run: scripts, variants, and what stands beside them."""
    nix = ClosureMaker(work, build)
    made = nix.build("nixos")
    place.equal(sorted(os.listdir(made)), [".hidden", "activate-rs", "belay-agent", "bin",
                                           "deploy-rs-activate"], "the closure")
    assert os.path.basename(made).endswith("-activatable-nixos"), made
    place.equal(os.path.realpath(f"{made}/bin/switch-to-configuration"),
                nix.build("toplevel") + "/bin/switch-to-configuration", "where NixOS really stands")
    for name in ["activate-rs", "belay-agent"]:
        said = place.run(f"{made}/{name}", "--version")
        assert said.startswith("belay-agent "), said

    def says(name, **variables):
        return nix.activate(name, **variables).replace(str(work), "WORK")

    switch = "switch-to-configuration"
    place.equal(says("nixos"), f"{switch} switch in /tmp HOME=/home/of\n", "NixOS")
    place.equal(says("nixos", BOOT="1", DRY_ACTIVATE="0"), f"{switch} boot in /var HOME=/home/of\n",
                "NixOS, boot")
    place.equal(says("nixos", DRY_ACTIVATE="1", BOOT="0"),
                f"{switch} dry-activate in /var HOME=/home/of\n", "NixOS, dry run")
    place.equal(says("home"), "activate  in /var HOME=/home/of\n", "home-manager")
    place.equal(says("darwin"), "activate  in /var HOME=/var/root\n", "nix-darwin")
    place.equal(says("noop"), "", "noop")
    place.equal(says("old"), "old\n", "setActivate")
    place.equal(says("twice"), "outer\n", "a closure around a closure")
    place.equal(says("long"), "", "a long script")
    place.equal(says("described"), "", "nothing but a comment")
    place.equal(says("described", DRY_ACTIVATE="1"), "dry\n", "a dry run that is described")
    place.equal(says("described", BOOT="1"), "boot\n", "a boot that is described")
    for variable in ["DRY_ACTIVATE", "BOOT"]:
        said = says("custom", **{variable: "1"})
        assert "is not described" in said and "/deploy-rs-activate" in said, said
    tool = nix.build("custom")
    failed = nix.activate("custom", fails=True, folder=tool)
    place.equal(failed, "", "a script ends at its first failure, in a pipeline too")
    text = pathlib.Path(nix.build("booted"), "deploy-rs-activate").read_text()
    assert "loader='/boot of it'\\''s/loader/loader.conf'" in text, text
    assert "loader.conf" not in pathlib.Path(made, "deploy-rs-activate").read_text()
    assert "is no folder" in nix.build("file", fails=True)


def checks(work, build):
    """deployChecks: what they accept, and what they say of the rest."""
    nix = ClosureMaker(work, build)
    for good in ["good", "plain"]:
        nix.build(f"{good}.deploy-schema")
        nix.build(f"{good}.deploy-activate")
    said = nix.build("inert.deploy-activate", fails=True)
    assert "a 'b'.c \"d\": nothing activates " in said and "-inert" in said, said
    said = nix.build("wrong.deploy-schema", fails=True)
    for problem in ["deploy.nodes.a has no hostname", "deploy.nodes.a.profiles.b has no path",
                    'deploy.nodes.a.profiles.b.confirmTimeout is "soon"']:
        assert problem in said, said


class ClosureMaker:
    """Builds what closures.nix describes, with the agent of this build in it."""

    def __init__(self, work, build):
        self.environment = place.private_nix(work)
        self.agent = work / "agent"
        (self.agent / "bin").mkdir(parents=True)
        shutil.copy(pathlib.Path(build) / "bin/belay-agent", self.agent / "bin")

    def build(self, name, fails=False):
        here = pathlib.Path(__file__).parent
        return place.run("nix-build", here / "closures.nix", "--no-out-link", "-A", name, "--arg",
                         "nixLib", place.REPOSITORY / "nix/lib.nix", "--arg", "agent", self.agent,
                         env=self.environment, fails=fails).strip()

    def activate(self, name, fails=False, folder="/var", **variables):
        made = self.build(name)
        environment = {"PATH": "/usr/bin:/bin", "HOME": "/home/of", "PROFILE": made, **variables}
        said = place.run(f"{made}/deploy-rs-activate", env=environment, cwd=folder, fails=fails)
        return said.replace(made, "PROFILE") if fails else said


def module(work):
    """The unit for NixOS machines is the one that the agent arms."""
    flake = Flake(work)
    machine = f"path:{place.REPOSITORY}/tests/install/machine"
    made = json.loads(flake.nix(
        "eval", "--json", "--override-input", "belay", f"path:{flake.folder}", f"{machine}#enabled",
        "--apply", "on: { unit = on.systemd.services.belay-recover;"
                   " packages = map (package: package.pname) on.environment.systemPackages; }"))
    place.equal(made["packages"], ["belay-agent"], "packages of the machine")
    place.equal(json.loads(flake.nix("eval", "--json", "--override-input", "belay",
                                     f"path:{flake.folder}", f"{machine}#plain")), {},
                "what the module does unless it is enabled")

    unit, service = made["unit"], dict(made["unit"]["serviceConfig"])
    place.equal(unit["wantedBy"], ["multi-user.target"], "wantedBy")
    starts_the_armed_agent(work, service.pop("ExecStart"))
    place.equal((service.pop("RemainAfterExit"), unit["restartIfChanged"]), (True, False),
                "that switch-to-configuration leaves it alone")
    settings = {"Description": unit["description"], "After": " ".join(unit["after"]),
                "DefaultDependencies": "no" if not unit["unitConfig"]["DefaultDependencies"] else "",
                "Before": unit["before"][0], "Conflicts": unit["conflicts"][0], **service}
    place.equal(settings, armed_unit(), "the unit")


def starts_the_armed_agent(work, command):
    """And the package's own, where no agent was armed or it is there no more."""
    words = [json.loads(word.replace("$$", "$").replace("%%", "%"))
             for word in re.findall(r'"(?:[^"\\]|\\.)*"', command)]
    assert words[-1].endswith("/bin/belay-agent"), command
    assert "/state/recover-agent" in words, command
    state = work / "state of it"
    state.mkdir()
    for name in ["own", "armed"]:
        (work / name).write_text(f'#!/bin/sh\necho "{name}: $*" >&2\nexit 3\n')
        (work / name).chmod(0o755)
    words = [word.replace("/state", str(state)) for word in words[:-1]] + [str(work / "own")]

    def started():
        return place.run(*words, fails=True).strip().splitlines()

    arguments = f"recover --state-directory {state}"
    place.equal(started(), [f"own: {arguments}"], "without an armed agent")
    (state / "recover-agent").symlink_to(work / "armed")
    place.equal(started(), [f"armed: {arguments}"], "with an armed agent, which fails")
    (work / "armed").unlink()
    place.equal(started(), [f"own: {arguments}"], "where it has gone")


def armed_unit():
    """The settings that engine/agent writes, but for the command."""
    source = (place.REPOSITORY / "engine/agent/boot_unit.cpp").read_text()
    text = source[source.index('return "[Unit]'):source.index('"ExecStart="')]
    return dict(re.findall(r'"(\w+)=([^"]*)\\n"', text))


TESTS = [outputs, programs, sources, lib, by_the_names_of_deploy_rs, closures, checks, module]
WITH_PROGRAMS = [closures, checks]
"""They run the agent of the build."""


def main():
    name, build = sys.argv[1:]
    [test] = [test for test in TESTS if test.__name__ == name]
    place.require("nix")
    with place.folder() as work:
        test(pathlib.Path(work), *([build] if test in WITH_PROGRAMS else []))


if __name__ == "__main__":
    main()
