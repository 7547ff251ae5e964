// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/nix/nix_store.h"
#include "engine/plan/plan.h"

#include <string>
#include <string_view>
#include <vector>

// A plan that was written down, to be reviewed and then deployed exactly. It is one JSON file: what
// it is, who wrote it, what each flake was locked to, the plan itself in the form of `belay plan
// --format json`, and at its end a hash over every byte before. So a file that was cut off, edited
// or reformatted is refused. The hash has no key: who means to change the plan can make it again.
//
// It says whether the flakes' checks were made: they are not made again when it is deployed.
//
// There is no secret in it, only names of variables and files. So a webhook whose URL stands in the
// plan file is left out, and so are the credentials in a flake's URL (url_secrets.h). Where reports
// are written is for the run to say.

namespace belay::runner {

struct PlannedFlake {
  std::string reference; ///< as given; what Node::flake names
  nix::LockedFlake lock;
  bool operator==(const PlannedFlake&) const = default;
};

struct Artifact {
  std::string belay;    ///< version that wrote it
  bool checked = false; ///< the flakes' checks were made, and were good
  std::vector<PlannedFlake> flakes;
  plan::Plan plan;
};

/// Makes it of a whole plan, as this version of belay. Throws Error{invalid_plan} where two flakes
/// differ in nothing but credentials.
Artifact make_artifact(plan::Plan plan, std::vector<PlannedFlake> flakes, bool checked);

/// The whole file. Throws Error{invalid_plan} where a text is not UTF-8 and could not be written as
/// it is.
std::string write_artifact(const Artifact& artifact);

/// Puts the hash at the end of a JSON object that is printed with a member a line.
std::string seal_artifact(std::string json_object);

/// Throws Error{invalid_plan} that says whether it is something else, in another version of the
/// format, changed after it was written, or by a belay that knows other settings.
Artifact read_artifact(std::string_view text);

} // namespace belay::runner
