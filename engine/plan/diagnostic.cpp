// SPDX-License-Identifier: Apache-2.0
#include "engine/plan/diagnostic.h"

#include "engine/base/text.h"

#include <algorithm>

namespace belay::plan {

std::string Diagnostic::line_text() const {
  std::string text;
  if (!file.empty()) {
    text += file;
    if (line > 0) {
      text += ':' + std::to_string(line);
    }
    if (line > 0 && column > 0) {
      text += ':' + std::to_string(column);
    }
    text += ": ";
  }
  text += severity == Severity::error ? "error: " : "warning: ";
  text += message;
  if (!hint.empty()) {
    text += "; " + hint;
  }
  return one_line(text);
}

bool has_errors(const Diagnostics& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(), [](const Diagnostic& diagnostic) {
    return diagnostic.severity == Diagnostic::Severity::error;
  });
}

} // namespace belay::plan
