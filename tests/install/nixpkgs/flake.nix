# SPDX-License-Identifier: Apache-2.0
# Stands for nixpkgs where there is no network: as much of it as our flake uses, strict where nixpkgs
# is. A package that our files ask for and that is not named here, an argument too much, a source
# file that does not exist: all are errors.
{
  outputs =
    { self }:
    let
      lib = import ./lib.nix;
    in
    {
      inherit lib;
      legacyPackages = lib.genAttrs (lib.platforms.linux ++ lib.platforms.darwin) (
        system: import ./packages.nix { inherit lib system; }
      );
    };
}
