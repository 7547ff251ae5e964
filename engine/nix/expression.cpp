// SPDX-License-Identifier: Apache-2.0
#include "engine/nix/expression.h"

#include "engine/base/error.h"

#include <map>
#include <optional>
#include <set>

namespace belay::nix {

namespace {

/// Linux takes no argument longer than 128 KiB (MAX_ARG_STRLEN).
constexpr std::size_t longest_expression = 120 * 1024;

/// Follows "deploy: let everything = …; nameOthers = …; selection = …; in".
constexpr std::string_view functions = R"nix(
let
  inherit (builtins)
    attrNames concatMap deepSeq elem filter getContext intersectAttrs isAttrs isPath isString
    listToAttrs mapAttrs tryEval typeOf unsafeDiscardStringContext;

  genericKeys = [
    "sshUser" "user" "sshOpts" "fastConnection" "autoRollback" "magicRollback" "confirmTimeout"
    "activationTimeout" "tempPath" "sudo" "remoteBuild" "interactiveSudo"
  ];

  isDerivation = value: isAttrs value && value ? type && value.type == "derivation";
  odd = value: { __type = if isDerivation value then "derivation" else typeOf value; };
  scalar = value:
    if elem (typeOf value) [ "null" "bool" "int" "float" "string" ] then value
    else if isPath value then toString value
    else odd value;
  plain = value: if typeOf value == "list" then map scalar value else scalar value;
  pick = keys: set: listToAttrs (concatMap
    (key: if set ? ${key} then [ { name = key; value = plain set.${key}; } ] else [ ]) keys);
  named = what: set:
    if set ? outPath || set ? __toString then
      throw "a ${what} of `deploy` cannot be called outPath or __toString"
    else set;

  pathOf = value:
    if isString value || isPath value || isAttrs value && (value ? outPath || value ? __toString)
    then
      let text = "${value}"; in
      { path = unsafeDiscardStringContext text; context = getContext text; }
    else { path = plain value; };

  projectProfile = profile:
    if !isAttrs profile then plain profile
    else pick (genericKeys ++ [ "profilePath" ]) profile
      // (if profile ? path then pathOf profile.path else { });

  chosenProfiles = name: profiles:
    if everything || selection.${name} == null then profiles
    else intersectAttrs selection.${name} profiles;

  projectNode = name: node:
    if !isAttrs node then plain node
    else pick (genericKeys ++ [ "hostname" "profilesOrder" ]) node
      // (if !(node ? profiles) then { }
      else if !isAttrs node.profiles then { profiles = plain node.profiles; }
      else {
        profiles = mapAttrs (_: projectProfile)
          (chosenProfiles name (named "profile" node.profiles));
      });

  profileNames = node:
    let
      names = tryEval (
        if isAttrs node && node ? profiles && isAttrs node.profiles
        then attrNames node.profiles else [ ]);
    in
    if names.success then names.value else [ ];

  forced = name: node: let value = projectNode name node; in deepSeq value value;
  entry = name: node:
    let
      selected = everything || selection ? ${name};
      attempt = tryEval (forced name node);
    in
    { inherit selected; profileNames = if selected || nameOthers then profileNames node else [ ]; }
    // (if !selected then { }
    else if attempt.success then { ok = true; value = attempt.value; }
    else { ok = false; });

  nodes =
    if isDerivation deploy then throw
      "a package called `deploy` hides the flake's `deploy` output: rename the package"
    else if !isAttrs deploy then throw
      "`deploy` is a ${typeOf deploy}, not a set"
    else named "node" deploy.nodes;
  hasNodes = isDerivation deploy || !isAttrs deploy || isAttrs (deploy.nodes or null);
in
)nix";

constexpr std::string_view whole_result =
    R"nix({
      nodes = if hasNodes then mapAttrs entry nodes else plain (deploy.nodes or null);
      generic = pick genericKeys deploy;
    })nix";

/// Node to its selected profiles; none = all of them.
using Selection = std::map<std::string, std::optional<std::set<std::string>>>;

/// nullopt where some target takes everything.
std::optional<Selection> merge(const std::vector<plan::Target>& targets) {
  if (targets.empty()) {
    return std::nullopt;
  }
  Selection selection;
  for (const auto& target : targets) {
    if (!target.node) {
      return std::nullopt;
    }
    auto& profiles = selection.try_emplace(*target.node, std::set<std::string>{}).first->second;
    if (!target.profile) {
      profiles.reset();
    } else if (profiles) {
      profiles->insert(*target.profile);
    }
  }
  return selection;
}

std::string profile_set(const std::optional<std::set<std::string>>& profiles) {
  if (!profiles) {
    return "null";
  }
  std::string text = "{ ";
  for (const auto& profile : *profiles) {
    text += plan::nix_string(profile) + " = null; ";
  }
  return text + "}";
}

std::string bindings(const std::optional<Selection>& selection, Others others) {
  std::string text = selection ? "everything = false; " : "everything = true; ";
  text += others == Others::profile_names ? "nameOthers = true; " : "nameOthers = false; ";
  text += "selection = { ";
  for (const auto& [node, profiles] : selection.value_or(Selection{})) {
    text += plan::nix_string(node) + " = " + profile_set(profiles) + "; ";
  }
  return text + "};";
}

std::string expression(const std::vector<plan::Target>& selection, Others others,
                       std::string_view result) {
  std::string text = "deploy: let " + bindings(merge(selection), others) + " in" +
                     std::string(functions) + std::string(result);
  if (text.size() > longest_expression) {
    throw Error(ErrorKind::usage, "the targets name more nodes than one evaluation can be told: "
                                  "name the flake alone, or split the run");
  }
  return text;
}

} // namespace

std::string projection(const std::vector<plan::Target>& selection, Others others) {
  return expression(selection, others, whole_result);
}

bool is_partial(const std::vector<plan::Target>& selection) {
  return merge(selection).has_value();
}

std::string failing_projection(const std::string& node,
                               const std::vector<plan::Target>& selection) {
  const std::string name = plan::nix_string(node);
  return expression(selection, Others::names_alone,
                    "builtins.seq (forced " + name + " nodes.${" + name + "}) true");
}

} // namespace belay::nix
