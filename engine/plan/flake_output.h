// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/plan/diagnostic.h"
#include "engine/plan/settings.h"
#include "engine/plan/target.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What a flake's `deploy` attribute says, as one evaluation brings it. The evaluation (engine/nix)
// projects known keys only and yields this JSON, which parse_flake_output reads:
//
//   { "generic": {GENERIC…},
//     "nodes": {
//       "web-1": { "selected": true, "ok": true, "profileNames": ["app", "system"],
//                  "value": { "hostname": …, "profilesOrder": […], GENERIC…,
//                             "profiles": { "system": { "path": "/nix/store/…", "profilePath": …,
//                                                       "context": {"/nix/store/….drv": {"outputs":
//                                                       ["out"]}}, GENERIC… } } } },
//       "db-1":  { "selected": true, "ok": false, "profileNames": ["system"],
//                  "error": "…" },                        caught by tryEval; of the first few
//       "old":   { "selected": false, "profileNames": ["system"] } } }
//
// `nodes` is null where the flake has none, and of another type where the flake's are. GENERIC… are
// deploy-rs's generic keys; absent or null means unset. Names of all nodes and
// profiles are there even where only some are selected, so that a misspelt one can be answered with
// the right one. Values are passed on with the types that the flake gave them: it is here that a
// wrong type is found, and named with node, profile and key.

namespace belay::plan {

struct FlakeProfile {
  /// As evaluated: not yet known to be a store path. nullopt where there is none, which was told.
  std::optional<std::string> path;
  std::vector<std::string> derivations; ///< of the string context of `path`
  std::optional<std::string> profile_path;
  Settings settings;
};

struct FlakeNode {
  bool selected = false;
  bool evaluated = false; ///< false where a caught evaluation error took it
  std::string error;      ///< then: what Nix said, where it was asked again; else empty
  std::vector<std::string> profile_names;
  std::string hostname;
  std::vector<std::string> profiles_order;
  Settings settings;
  std::map<std::string, FlakeProfile> profiles; ///< the selected ones
};

struct FlakeOutput {
  std::string flake; ///< as given
  Settings settings;
  std::map<std::string, FlakeNode> nodes;
};

/// Reads the JSON above. Adds to `problems`; throws Error{evaluation_failed} only where it is no
/// JSON of that shape at all.
FlakeOutput parse_flake_output(std::string_view json, const std::string& flake,
                               Diagnostics& problems);

} // namespace belay::plan
