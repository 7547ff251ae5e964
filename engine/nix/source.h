// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/nix/nix_store.h"

#include <string>
#include <string_view>
#include <vector>

// Where `deploy` and `checks` come from. A flake is asked by `nix eval FLAKE#ATTRIBUTE --apply`. A
// file (`--file`) holds a set, or a function that is called with `{ }`; it is imported by an
// expression of ours, which the older commands take on every release. A Nix whose flakes are
// switched off reads a folder that way too, if it has a default.nix, as deploy-rs does; the probe
// for that is one `nix eval --expr builtins.getFlake`, only where there is such a file at all.

namespace belay::nix {

struct Source {
  plan::SourceKind kind = plan::SourceKind::flake;
  std::string name; ///< flake reference or path, as given
};

/// How a source is read in truth. Says so to `sink` where it is not what was asked for.
Source source_of(ProcessRunner& runner, plan::SourceKind kind, const std::string& name,
                 const ProgressSink& sink, const Wait& wait);

/// "evaluating .#deploy" needs ".#deploy"; of a file it is "hosts.nix: deploy".
std::string attribute_of(const Source& source, std::string_view attribute);

/// argv that prints FUNCTION applied to the attribute (a path of plain identifiers) as JSON. Throws
/// Error{evaluation_failed} where a file is not there.
std::vector<std::string> evaluate_command(const Source& source, std::string_view attribute,
                                          const std::string& function,
                                          const std::vector<std::string>& nix_arguments);

/// Expression of the set that a file holds. Throws as above.
std::string imported(const Source& source);

} // namespace belay::nix
