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

      # What is deployed to, with deploy-rs's lib for each; a nixpkgs may have dropped one.
      targets = lib.filter (system: nixpkgs.legacyPackages ? ${system}) (
        systems
        ++ [
          "x86_64-darwin"
          "aarch64-darwin"
        ]
      );

      libFor =
        pkgs:
        import ./nix/lib.nix {
          inherit (pkgs.stdenv.hostPlatform) system;
          inherit (pkgs) coreutils;
          shell = pkgs.runtimeShell;
          agent = (import ./nix/packages.nix pkgs).belay-agent;
        };

      # By deploy-rs's name, for who wrote deploy-rs.packages.SYSTEM.deploy-rs: its `deploy`.
      deployFor =
        pkgs: belay:
        pkgs.writeShellScriptBin "deploy" ''
          exec ${lib.getExe belay} run "$@"
        '';
    in
    {
      # activate.nixos and its like, deployChecks: as in deploy-rs, whose input this one can take
      # the place of.
      lib = lib.genAttrs targets (system: libFor nixpkgs.legacyPackages.${system});

      # deploy-rs stays nixpkgs' program; its overlay's users find their lib and the program beside.
      overlays.default =
        final: prev:
        import ./nix/packages.nix final
        // {
          deploy-rs =
            prev.deploy-rs or { }
            // lib.optionalAttrs (prev ? deploy-rs) { inherit (prev) deploy-rs; }
            // {
              lib = libFor final;
            };
        };

      # What deploy-rs's had been called.
      overlay = self.overlays.default;

      packages = eachSystem (
        pkgs:
        let
          ours = import ./nix/packages.nix pkgs;
        in
        {
          default = ours.belay;
          inherit (ours) belay belay-agent belay-with-every-agent;
          deploy-rs = deployFor pkgs ours.belay;
        }
        // lib.mapAttrs' (system: agent: lib.nameValuePair "belay-agent-${system}" agent) ours.belay-agents
      );

      apps = eachSystem (
        pkgs:
        let
          inherit (self.packages.${pkgs.stdenv.hostPlatform.system}) belay deploy-rs;
          app = package: {
            type = "app";
            program = lib.getExe package;
            meta = { inherit (belay.meta) description; };
          };
        in
        {
          default = app belay;
          belay = app belay;
          deploy-rs = app deploy-rs;
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
          machines = pkgs.testers.runNixOSTest (
            import ./nix/vm-tests.nix {
              inherit belay;
              deploy = libFor pkgs;
            }
          );
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
