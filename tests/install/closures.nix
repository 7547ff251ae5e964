# SPDX-License-Identifier: Apache-2.0
# What our lib makes of bases such as NixOS, home-manager and nix-darwin hand over; tests/install
# builds and runs them. `lib` with its arguments, `agent`: a folder with bin/belay-agent.
{ nixLib, agent }:
let
  lib = import nixLib {
    system = builtins.currentSystem;
    shell = "/bin/bash";
    coreutils = "/usr";
    agent = builtins.path {
      path = agent;
      name = "agent";
    };
  };

  # A folder with a program that tells how it was called, under each of these names.
  folder =
    name: programs:
    derivation {
      inherit name programs;
      system = builtins.currentSystem;
      builder = "/bin/bash";
      PATH = "/usr/bin";
      args = [
        "-euc"
        ''
          mkdir -p $out/bin
          echo hidden >$out/.hidden
          for program in $programs; do
            echo 'echo "''${0##*/} $* in $PWD HOME=$HOME"' >$out/$program
            chmod +x $out/$program
          done
        ''
      ];
    };

  toplevel = folder "nixos" [ "bin/switch-to-configuration" ];

  machine = loader: {
    config = {
      system.build = { inherit toplevel; };
      boot = { inherit loader; };
    };
  };

  nixos = lib.activate.nixos (machine { });

  deploy = path: { nodes."a 'b'" = { hostname = "h"; profiles."c \"d\"".path = path; }; };
in
{
  inherit nixos toplevel;
  booted = lib.activate.nixos (machine {
    systemd-boot.enable = true;
    efi.efiSysMountPoint = "/boot of it's";
  });
  home = lib.activate.home-manager { activationPackage = folder "home" [ "activate" ]; };
  darwin = lib.activate.darwin { config.system.build.toplevel = folder "darwin" [ "activate" ]; };
  custom = lib.activate.custom (folder "tool" [ "bin/tool" ]) "./bin/tool now; false | true; echo not here";
  described = (
    lib.activate.custom
    // {
      dryActivate = "echo dry";
      boot = "echo boot";
    }
  ) (folder ".tool" [ ]) "# nothing to do";
  noop = lib.activate.noop (folder "tool" [ ]);
  old = lib.setActivate (folder "tool" [ ]) "echo old";
  twice = lib.activate.custom nixos "echo outer";
  long = lib.activate.custom (folder "tool" [ ]) ": ${
    builtins.concatStringsSep "" (builtins.genList (_: "long ") 40000)
  }";
  file = lib.activate.custom (builtins.toFile "file" "text") ":";

  good = lib.deployChecks (deploy nixos);
  plain = lib.deployChecks (deploy toplevel);
  inert = lib.deployChecks (deploy (folder "inert" [ ]));
  wrong = lib.deployChecks { nodes.a = { profiles.b.confirmTimeout = "soon"; }; };
}
