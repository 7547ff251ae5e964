// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runner/ci_context.h"

#include <map>
#include <optional>
#include <string>

// Secrets come from an environment variable or a file, never from the plan file itself.

namespace belay::runner {

/// Variables that hold secrets: taken out of this process's environment the first time that they
/// are asked for, so that nothing that is started later inherits them. One thread.
class SecretVariables {
public:
  /// The value, however often it is asked for; nullopt where it is not set.
  std::optional<std::string> take(const std::string& name);

private:
  std::map<std::string, std::optional<std::string>> taken_;
};

/// The value of `variable`, else the content of `file`, without the white space around it; nullopt
/// where neither is named. From then on this process leaves no core dump. Throws Error{secret} that names the variable or file, never a value.
std::optional<std::string> fetch_secret(const std::optional<std::string>& variable,
                                        const std::optional<std::string>& file,
                                        const Environment& environment);

} // namespace belay::runner
