// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/scripts.h"
#include "engine/base/text.h"

#include <algorithm>
#include <cctype>

namespace belay::agent {

std::string describe(const ScriptResult& result) {
  const auto took = " after " + format_duration(result.duration);
  switch (result.end) {
  case ScriptResult::End::none:
    return "there is no activation script";
  case ScriptResult::End::exited:
    return "exited " + std::to_string(result.exit_status.value_or(0)) + took;
  case ScriptResult::End::signalled:
    return "was killed by " + result.signal.value_or("a signal") + took;
  case ScriptResult::End::timed_out:
    return "did not end in time and was stopped" + took;
  case ScriptResult::End::unstarted:
    return "could not be started: " + result.message;
  case ScriptResult::End::lost:
    return "was stopped" + took + ", because it could not be watched: " + result.message;
  }
  return "";
}

// Scripts say it in words only.
bool met_a_lock(const ScriptResult& result) {
  std::string text = result.tail;
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result.end == ScriptResult::End::exited && text.find("acquire") != std::string::npos &&
         text.find("lock") != std::string::npos;
}

} // namespace belay::agent
