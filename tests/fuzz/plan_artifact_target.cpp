// SPDX-License-Identifier: Apache-2.0
#include "runner/artifact.h"

#include "engine/base/error.h"
#include "tests/fuzz/fuzz_target.h"

// A plan that was written down: as it is, and sealed anew, since no text that is made up would have
// the right hash.

namespace belay::fuzz {

namespace {

void feed_file(const std::string& text) {
  try {
    const runner::Artifact read = runner::read_artifact(text);
    const runner::Artifact again = runner::read_artifact(runner::write_artifact(read));
    require(again.plan == read.plan && again.flakes == read.flakes && again.belay == read.belay,
            "an artifact is written and read as the same");
  } catch (const Error& error) {
    require(error.kind() == ErrorKind::invalid_plan, "no artifact: invalid_plan");
    require(!error.message().empty(), "an error says what is wrong");
  }
}

} // namespace

void feed(std::string_view text) {
  feed_file(std::string(text));
  if (text.rfind("\n}") != std::string_view::npos)
    feed_file(runner::seal_artifact(std::string(text)));
}

} // namespace belay::fuzz
