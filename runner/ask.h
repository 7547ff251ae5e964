// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/plan/plan.h"
#include "runner/run_frame.h"

// `--interactive`: the one question that belay ever asks. It is asked once, of a person on a
// terminal, when everything is known and nothing has been built, copied or touched yet.

namespace belay::runner {

/// Throws Error{usage} where nobody could be asked: stdin, where the answer comes from, or stderr,
/// where the question is, is no terminal.
void require_terminal();

/// Shows what would be activated and asks. True for y or yes; anything else, an end of input and a
/// signal are a no.
bool ask(RunFrame& frame, const plan::Plan& plan);

} // namespace belay::runner
