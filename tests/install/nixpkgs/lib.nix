# SPDX-License-Identifier: Apache-2.0
# The functions of nixpkgs' library that our files use, with the meaning that they have there.
let
  inherit (builtins)
    all
    attrValues
    concatStringsSep
    filter
    isAttrs
    isBool
    isPath
    isString
    listToAttrs
    mapAttrs
    pathExists
    ;
in
rec {
  inherit attrValues filter mapAttrs;

  nameValuePair = name: value: { inherit name value; };
  genAttrs = names: f: listToAttrs (map (name: nameValuePair name (f name)) names);
  mapAttrs' = f: set: listToAttrs (map (name: f name set.${name}) (builtins.attrNames set));
  concatMapStrings = f: list: concatStringsSep "" (map f list);

  getExe = package: "${package}/bin/${package.meta.mainProgram}";
  makeBinPath = packages: concatStringsSep ":" (map (package: "${package}/bin") packages);
  cmakeBool =
    name: value:
    assert isBool value;
    "-D${name}:BOOL=${if value then "TRUE" else "FALSE"}";

  licenses.asl20.spdxId = "Apache-2.0";
  platforms = {
    linux = [
      "x86_64-linux"
      "aarch64-linux"
    ];
    darwin = [
      "x86_64-darwin"
      "aarch64-darwin"
    ];
  };
  optionalAttrs = condition: set: if condition then set else { };

  fileset = {
    unions =
      paths:
      assert all (path: isPath path && (pathExists path || throw "${toString path} does not exist")) paths;
      paths;
    toSource =
      { root, fileset }:
      assert isPath root && fileset != [ ];
      builtins.path {
        path = root;
        name = "source";
        filter =
          path: _type:
          builtins.any (
            member:
            let
              named = toString member;
            in
            path == named || startsWith "${path}/" named || startsWith "${named}/" path
          ) fileset;
      };
  };

  startsWith = start: text: builtins.substring 0 (builtins.stringLength start) text == start;

  # Options: as much as one module without others needs (../machine).
  types.path = value: isString value && startsWith "/" value;
  mkOption = option: option // { _type = "option"; };
  mkEnableOption = name: mkOption {
    default = false;
    description = "Whether to enable ${name}.";
    type = isBool;
  };
  mkPackageOption = packages: name: { }: mkOption {
    default = packages.${name};
    type = isAttrs;
  };
  mkIf = condition: content: if condition then content else { };
  mkDefault = value: value;
}
