# SPDX-License-Identifier: Apache-2.0
"""Flakes in the shapes that people write them in for deploy-rs; all are read as deploy-rs reads them."""

import os

from fleet import check, world
from fleet.flake import node, package, profile, to_nix, write, write_outputs
from fleet.fleet import each_nix, hosts
from fleet.host import SYSTEM
from fleet.runner import FOLDER, Run, deploy, plan

CONFIGURATIONS = """
    nixosConfigurations = builtins.mapAttrs
      (name: version: {
        config.networking.hostName = name;
        config.system.build.toplevel = package "app-${version}" ''
          echo ${version} >>/var/lib/activated
        '' null;
      }) { web-1 = "one"; web-2 = "two"; };
    deploy = {
      user = "root"; sshUser = "root"; confirmTimeout = 5;
      nodes = builtins.mapAttrs (name: host: {
        hostname = host.config.networking.hostName;
        profiles.system.path = host.config.system.build.toplevel;
      }) self.nixosConfigurations;
    };
"""


@each_nix
@hosts(2)
def one_node_a_configuration(fleet):
    """mapAttrs over nixosConfigurations, which the flake's own checks look at, too."""
    folder = write_outputs(FOLDER / "flake", CONFIGURATIONS)
    check.ended(Run(folder, checks=True).wait(), 0)
    check.runs(fleet["web-1"], 1, "one", "one")
    check.runs(fleet["web-2"], 1, "two", "two")


PARTS = """
  } // (let
    mkFlake = { systems, perSystem, flake }:
      let
        made = map (system: { inherit system; value = perSystem { inherit system; }; }) systems;
        transpose = name: builtins.listToAttrs
          (map (one: { name = one.system; value = one.value.${name} or { }; }) made);
      in
      builtins.listToAttrs (map (name: { inherit name; value = transpose name; })
        [ "packages" "checks" "devShells" ]) // flake;
  in mkFlake {
    systems = [ "%s" "other-linux" ];
    perSystem = { system }: { packages.default = package "tool-${system}" "" null; };
    flake.deploy.nodes.web-1 = {
      hostname = "web-1"; sshUser = "root";
      profiles.tool = { user = "root"; path = self.packages.%s.default; };
    };
  }) // {
""" % (SYSTEM, SYSTEM)


@hosts(1)
def as_flake_parts_makes_them(fleet):
    folder = write_outputs(FOLDER / "flake", PARTS)
    [profile] = plan(folder)["nodes"][0]["profiles"]
    check.equal((profile["name"], profile["user"]), ("tool", "root"), "profile")
    assert profile["path"].endswith(f"-tool-{SYSTEM}") and profile["derivation"], profile


LEVELS = """
    deploy = {
      sshUser = "deploy"; user = "root"; sshOpts = [ "-p" "22" ]; fastConnection = true; confirmTimeout = 11;
      nodes.web-1 = {
        hostname = "fe80::1"; sshOpts = [ "-o" "StrictHostKeyChecking=no" ]; confirmTimeout = 12;
        profilesOrder = [ "system" "home" ];
        profiles = {
          home = { path = package "home" "" null; user = "app"; sshUser = "app"; };
          site = {
            path = package "site" "" null; profilePath = "/srv/site"; confirmTimeout = 13;
            sshOpts = [ "-i" "key" ]; magicRollback = false;
          };
          system.path = package "system" "" null;
        };
      };
      nodes."db.example.com" = { hostname = "db:2222"; autoRollback = false; profiles.system.path = package "db" "" null; };
    };
"""


@hosts(1)
def settings_at_all_three_levels(fleet):
    """The nearest counts, ssh options add up, and several profiles belong to several users."""
    folder = write_outputs(FOLDER / "flake", LEVELS)
    database, web = plan(folder)["nodes"]
    check.equal((database["id"], database["host"]), ("db.example.com", "db:2222"), "node")
    check.equal(database["profiles"][0]["auto_rollback"], False, "autoRollback of the node")
    check.equal(web["host"], "fe80::1", "hostname")
    seen = {profile["name"]: (profile["user"], profile["ssh_user"], profile["confirm_timeout_s"],
                              profile["ssh_opts"], profile["magic_rollback"], profile["profile_path"])
            for profile in web["profiles"]}
    common = ["-o", "StrictHostKeyChecking=no", "-p", "22"]
    check.equal(list(seen), ["system", "home", "site"], "order of profiles")
    check.equal(seen, {
        "system": ("root", "deploy", 12, common, True, None),
        "home": ("app", "app", 12, common, True, None),
        "site": ("root", "deploy", 13, ["-i", "key", *common], False, "/srv/site")}, "settings")
    check.equal([found["id"] for found in plan(folder, '.#"db.example.com".system')["nodes"]],
                ["db.example.com"], "a quoted target")


@hosts(2)
def hosts_by_their_addresses(fleet):
    """An IPv6 literal, and one with a port."""
    web, other = fleet
    run = check.ended(deploy({
        "web-1": {"hostname": web.address6, "profiles": {"system": profile(package("one"))}},
        "web-2": {"hostname": f"[{other.address6}]:22",
                  "profiles": {"system": profile(package("two"))}}}), 0)
    check.runs(web, 1, "one", "one")
    check.runs(other, 1, "two", "two")
    check.equal(run.select("node.started", node="web-1")[0]["data"]["host"], web.address6, "host")


@hosts(1)
def a_home_for_a_user(fleet):
    """As home-manager's activation package is wrapped: a profile of a user beside root's own."""
    [web] = fleet
    web.serve_nix(trusted_users=["app"])
    folder = write_outputs(FOLDER / "flake", """
    homeConfigurations.app.activationPackage = package "app-home" ''
      echo home of $(id -un) >>/var/lib/activated
    '' null;
    deploy.nodes.web-1 = {
      hostname = "web-1"; profilesOrder = [ "system" ]; confirmTimeout = 5;
      profiles.system = { sshUser = "root"; user = "root"; path = package "app-one" "echo one >>/var/lib/activated\n" null; };
      profiles.home = { sshUser = "app"; user = "app"; path = self.homeConfigurations.app.activationPackage; };
    };
""")
    check.ended(Run(folder).wait(), 0)
    check.equal(check.activated(web), ["one", "home", "of", "app"], "activations")
    check.equal(check.installed(web, "home", "app"), (1, "home"), "profile of app")
    check.equal(check.installed(web), (1, "one"), "profile of root")


@hosts(1)
def with_the_environment(fleet):
    """builtins.getEnv says something only with `-- --impure`, for evaluation and build alike."""
    [web] = fleet
    os.environ["RELEASE"] = "one"
    folder = write_outputs(FOLDER / "flake", """
    deploy.nodes.web-1 = { hostname = "web-1"; sshUser = "root"; confirmTimeout = 5; profiles.system.path =
      package "app-${builtins.getEnv "RELEASE"}" "echo ${builtins.getEnv "RELEASE"} >>/var/lib/activated\n" null; };
""")
    assert plan(folder)["nodes"][0]["profiles"][0]["path"].endswith("-app-"), "a pure evaluation"
    check.ended(Run(folder, ".", "--", "--impure").wait(), 0)
    check.runs(web, 1, "one", "one")


def git(folder, *arguments):
    world.run("git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@b.example", *arguments)


@each_nix
@hosts(1)
def in_a_git_tree(fleet):
    """In a folder of a repository (?dir=), with changes that are not committed, and by path."""
    [web] = fleet
    root = FOLDER / "repository"
    folder = write(root / "infra", {"web-1": node(web, package("one"))})
    git(root, "init", "-q", ".")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "one")

    def version(place, target):
        return plan(place, target)["nodes"][0]["profiles"][0]["path"].rpartition("-app-")[2]

    check.equal(version(root, "git+file:.?dir=infra#web-1"), "one", "?dir=")
    write(folder, {"web-1": node(web, package("two"))})
    check.equal(version(root, "git+file:.?dir=infra"), "two", "a changed file of a dirty tree")
    check.equal(version(folder, "."), "two", "a folder below the repository's")
    check.equal(version(root, f"path:{folder}#web-1.system"), "two", "path:")
    check.equal(version(root, "./infra"), "two", "a relative path")
    (folder / "new.nix").write_text("{ }")
    write_outputs(folder, f"deploy = import ./new.nix // {{ nodes = {to_nix({})}; }};")
    untracked = Run(folder, ".").wait()
    check.equal(untracked.exit_code, 20, "a file that git does not know")
    assert "new.nix" in untracked.console(), untracked.console()
