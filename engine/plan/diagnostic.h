// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

// A problem with what the user wrote. Loading never stops at the first one: readers add to a list
// and go on, and whoever called decides what a list with errors in it means.

namespace belay::plan {

struct Diagnostic {
  enum class Severity { error, warning };
  Severity severity = Severity::error;
  std::string code;    ///< kebab-case, stable: "unknown-key", "wrong-type", "unknown-node"
  std::string message; ///< what is wrong, naming node, profile and key
  std::string file;    ///< as the user named it; empty = not in a file
  int line = 0;        ///< 1-based; 0 = none
  int column = 0;      ///< 1-based; 0 = none
  std::string hint;    ///< what to do; part of the line where not empty

  /// `belay.yaml:2:1: error: unknown key "paralel"; did you mean "parallel"?`
  std::string line_text() const;
};

using Diagnostics = std::vector<Diagnostic>;

bool has_errors(const Diagnostics& diagnostics);

} // namespace belay::plan
