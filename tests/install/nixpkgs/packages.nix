# SPDX-License-Identifier: Apache-2.0
# Package sets whose packages are derivations that nobody builds.
{
  lib,
  system,
  isStatic ? false,
}:
let
  stdenv = {
    hostPlatform = {
      inherit system isStatic;
      isDarwin = builtins.elem system lib.platforms.darwin;
    };
    buildPlatform.canExecute = platform: platform.system == system;

    mkDerivation =
      attributes:
      derivation (
        removeAttrs attributes [ "meta" ]
        // {
          name = "${attributes.pname}-${attributes.version}";
          inherit system;
          builder = "/bin/sh";
        }
      )
      // attributes
      // {
        inherit stdenv;
        overrideAttrs = change: stdenv.mkDerivation (attributes // change attributes);
      };
  };

  callPackage =
    file: chosen:
    let
      function = import file;
      wanted = builtins.functionArgs function;
    in
    function (builtins.intersectAttrs wanted packages // chosen)
    // {
      override = others: callPackage file (chosen // others);
    };

  others = lib.genAttrs [
    "catch2_3"
    "ccache"
    "clang-tools"
    "cli11"
    "cmake"
    "httplib"
    "iproute2"
    "jq"
    "libssh2"
    "libxml2"
    "makeBinaryWrapper"
    "ninja"
    "nix"
    "nixfmt-tree"
    "nlohmann_json"
    "openssh"
    "openssl"
    "pkg-config"
    "python3"
    "spdlog"
    "yaml-cpp"
  ] (pname: stdenv.mkDerivation { inherit pname; version = "0"; });

  another = choice: import ./packages.nix ({ inherit lib system isStatic; } // choice);

  packages = others // {
    inherit lib stdenv callPackage;

    # Those of this machine, so that what needs nothing else can be built.
    runtimeShell = "/bin/bash";
    coreutils = "/usr";

    writeShellScriptBin =
      name: script:
      stdenv.mkDerivation {
        pname = name;
        version = "0";
        inherit script;
        meta.mainProgram = name;
      };

    # As much of a test's machines as its script is told.
    testers.runNixOSTest =
      test:
      let
        machine = name: {
          system.build.toplevel = stdenv.mkDerivation {
            pname = "nixos-system-${name}";
            version = "0";
          };
          boot.loader = { };
        };
        nodes = builtins.mapAttrs (
          name: module: machine name // { config = module { inherit lib nodes pkgs; config = machine name; }; }
        ) test.nodes;
      in
      builtins.deepSeq nodes (
        stdenv.mkDerivation {
          pname = "vm-test-${test.name}";
          version = "0";
          inherit (test) testScript;
        }
      );

    mkShell =
      { inputsFrom, packages }:
      stdenv.mkDerivation {
        pname = "shell";
        version = "0";
        inherit inputsFrom packages;
      };
    pkgsStatic = another { isStatic = true; };
    pkgsCross = {
      gnu64 = another { system = "x86_64-linux"; };
      gnu32 = another { system = "i686-linux"; };
      aarch64-multiplatform = another { system = "aarch64-linux"; };
      riscv64 = another { system = "riscv64-linux"; };
    };
  };
  pkgs = packages;
in
packages
