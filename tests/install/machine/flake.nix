# SPDX-License-Identifier: Apache-2.0
# A machine that is deployed to and uses our module. A module system for one module with its imports
# stands for NixOS: it knows defaults and types, and nothing else.
{
  inputs.nixpkgs.url = "nixpkgs";
  inputs.belay.url = "belay";
  inputs.belay.inputs.nixpkgs.follows = "nixpkgs";

  outputs =
    {
      self,
      belay,
      nixpkgs,
    }:
    let
      inherit (nixpkgs) lib;
      pkgs = nixpkgs.legacyPackages.x86_64-linux // belay.overlays.default pkgs pkgs;
      utils.escapeSystemdExecArgs =
        words:
        builtins.concatStringsSep " " (
          map (word: builtins.replaceStrings [ "%" "$" ] [ "%%" "$$" ] (builtins.toJSON word)) words
        );

      evaluate =
        settings:
        let
          arguments = {
            inherit lib pkgs utils;
            config.services.belay-agent = builtins.mapAttrs value options;
          };
          outer = belay.nixosModules.default arguments;
          inner = import (builtins.head outer.imports) arguments;
          options = inner.options.services.belay-agent;
          given = outer.services.belay-agent // settings;
          value =
            name: option:
            let
              found = given.${name} or option.default;
            in
            if option.type found then found else throw "services.belay-agent.${name}: wrong type";
        in
        inner.config;
    in
    {
      plain = evaluate { };
      enabled = evaluate {
        enable = true;
        stateDirectory = "/state";
      };
    };
}
