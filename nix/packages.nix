# SPDX-License-Identifier: Apache-2.0
# Both programs, from one set of packages.
pkgs:
let
  inherit (pkgs) lib;

  # A target shares nothing with the runner's machine but the kernel's interface: its agent is
  # static, and where the system is another one, cross-compiled.
  cross = {
    x86_64-linux = pkgs.pkgsCross.gnu64;
    aarch64-linux = pkgs.pkgsCross.aarch64-multiplatform;
    i686-linux = pkgs.pkgsCross.gnu32;
    riscv64-linux = pkgs.pkgsCross.riscv64;
  };

  # There is no static libc on darwin.
  agentFrom =
    packages:
    (if packages.stdenv.hostPlatform.isDarwin then packages else packages.pkgsStatic).callPackage ./agent.nix { };
in
rec {
  belay-agent = agentFrom pkgs;

  # One for each system that is deployed to.
  belay-agents = lib.mapAttrs (
    system: packages: if system == pkgs.stdenv.hostPlatform.system then belay-agent else agentFrom packages
  ) cross;

  # Deploys to its own system. For another choice: belay.override { agents = [ … ]; }.
  belay = pkgs.callPackage ./package.nix { agents = [ belay-agent ]; };

  belay-with-every-agent = belay.override { agents = lib.attrValues belay-agents; };
}
