# SPDX-License-Identifier: Apache-2.0
# What is wrong with a flake's `deploy` output: a list of lines, each of which says where, what there
# is and what there should be. Keys that nobody knows are left alone, as in deploy-rs; a setting that
# is null counts as not there.
deploy:
let
  inherit (builtins)
    all
    attrNames
    concatMap
    elem
    filter
    isAttrs
    isBool
    isInt
    isList
    isPath
    isString
    length
    toJSON
    typeOf
    ;

  # What a value is, for a person; short, and without evaluating more of it than it must.
  describe =
    value:
    if isString value || isInt value || isBool value then
      toJSON value
    else if value == null then
      "null"
    else
      {
        set = "an attribute set";
        list = "a list";
        lambda = "a function";
        path = "a path";
        float = "a number with a fraction";
      }
      .${typeOf value} or "a ${typeOf value}";

  isName = text: builtins.match "[A-Za-z_][A-Za-z0-9_'-]*" text != null;
  below = place: name: "${place}.${if isName name then name else toJSON name}";

  string = {
    is = isString;
    should = "a string";
  };
  bool = {
    is = isBool;
    should = "true or false";
  };
  strings = {
    is = value: isList value && all isString value;
    should = "a list of strings";
  };
  # A derivation is what most people write there.
  closure = {
    is = value: isString value || isPath value || (isAttrs value && value ? outPath);
    should = "a derivation or a store path";
  };
  # deploy-rs's range.
  seconds = {
    is = value: isInt value && value >= 0 && value <= 65535;
    should = "whole seconds, at most 65535";
  };

  generic = {
    sshUser = string;
    user = string;
    sshOpts = strings;
    fastConnection = bool;
    autoRollback = bool;
    magicRollback = bool;
    confirmTimeout = seconds;
    activationTimeout = seconds;
    tempPath = string;
    sudo = string;
    remoteBuild = bool;
    interactiveSudo = bool;
  };

  wrong = place: value: should: [ "${place} is ${describe value}, it should be ${should}" ];

  settings =
    types: place: set:
    concatMap (
      name:
      let
        value = set.${name};
      in
      if set ? ${name} && value != null && !types.${name}.is value then
        wrong (below place name) value types.${name}.should
      else
        [ ]
    ) (attrNames types);

  required =
    name: type: place: set:
    if !(set ? ${name}) then
      [ "${place} has no ${name}: it should be ${type.should}" ]
    else if !type.is set.${name} then
      wrong (below place name) set.${name} type.should
    else
      [ ];

  each =
    check: place: set:
    concatMap (name: check (below place name) set.${name}) (attrNames set);

  # Of an attribute set that has to be there: what `check` says of it.
  inSet =
    name: place: set: check:
    if !(set ? ${name}) then
      [ "${place} has no ${name}: it should be an attribute set" ]
    else if !isAttrs set.${name} then
      wrong (below place name) set.${name} "an attribute set"
    else
      check (below place name) set.${name};

  level =
    check: place: value:
    if isAttrs value then settings generic place value ++ check place value else wrong place value "an attribute set";

  profile = level (
    place: value: required "path" closure place value ++ settings { profilePath = string; } place value
  );

  # Every name is one of the node's profiles, and stands there once.
  order =
    place: node:
    let
      names = node.profilesOrder or [ ];
      known = if isAttrs (node.profiles or null) then attrNames node.profiles else names;
      unknown = filter (name: !elem name known) names;
      repeated = filter (name: length (filter (other: other == name) names) > 1) names;
      once = attrNames (
        builtins.listToAttrs (
          map (name: {
            inherit name;
            value = null;
          }) repeated
        )
      );
    in
    if !strings.is names then
      wrong "${place}.profilesOrder" names strings.should
    else
      map (name: "${place}.profilesOrder names ${toJSON name}, which is no profile of it") unknown
      ++ map (name: "${place}.profilesOrder names ${toJSON name} more than once") once;

  node = level (
    place: value:
    required "hostname" string place value
    ++ inSet "profiles" place value (each profile)
    ++ order place value
  );
in
level (place: value: inSet "nodes" place value (each node)) "deploy" deploy
