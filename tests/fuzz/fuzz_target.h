// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

// What reads text from outside - of users, of targets, of other programs - is fed with whatever
// text there is. Each file here feeds one reader and says, beyond "it does not crash", what must
// hold of what it read: that it is written and read again as the same, that an error names its
// place. libFuzzer (tests/fuzz/run.sh) looks for a text that breaks it; every compiler's build runs
// the texts of tests/fuzz/corpus through it as a unit test, and those that once broke it are among
// them.

namespace belay::fuzz {

/// What each target defines: reads one text. An exception that leaves it is a finding.
void feed(std::string_view text);

/// Ends the process as a crash does, which is what libFuzzer saves a text for.
void require(bool holds, std::string_view what);

} // namespace belay::fuzz
