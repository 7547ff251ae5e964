# SPDX-License-Identifier: Apache-2.0
{
  description = "A deployment runner for Nix profiles, made for CI";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;

      # Where the runner runs. Targets may be others: nix/packages.nix.
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];

      eachSystem = f: lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});
    in
    {
      overlays.default = final: _prev: import ./nix/packages.nix final;

      packages = eachSystem (
        pkgs:
        let
          ours = import ./nix/packages.nix pkgs;
        in
        {
          default = ours.belay;
          inherit (ours) belay belay-agent belay-with-every-agent;
        }
        // lib.mapAttrs' (system: agent: lib.nameValuePair "belay-agent-${system}" agent) ours.belay-agents
      );

      apps = eachSystem (
        pkgs:
        let
          inherit (self.packages.${pkgs.stdenv.hostPlatform.system}) belay;
          app = {
            type = "app";
            program = lib.getExe belay;
            meta = { inherit (belay.meta) description; };
          };
        in
        {
          default = app;
          belay = app;
        }
      );

      # What a target may have beside what is copied to it with every deploy.
      nixosModules.default =
        { lib, pkgs, ... }:
        {
          imports = [ ./nix/module.nix ];
          services.belay-agent.package =
            lib.mkDefault
              self.packages.${pkgs.stdenv.hostPlatform.system}.belay-agent;
        };

      checks = eachSystem (
        pkgs:
        let
          inherit (self.packages.${pkgs.stdenv.hostPlatform.system}) belay belay-agent;
        in
        {
          inherit belay belay-agent;
          tests = pkgs.callPackage ./nix/tests.nix { inherit belay; };
        }
      );

      devShells = eachSystem (pkgs: {
        default = pkgs.callPackage ./nix/shell.nix {
          inherit (self.packages.${pkgs.stdenv.hostPlatform.system}) belay;
        };
      });

      formatter = eachSystem (pkgs: pkgs.nixfmt-tree);
    };
}
