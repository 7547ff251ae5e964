// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/run/copy_step.h"

// Survey: each login of a node is connected and the target asked what system it is, before anything
// is built for it. A host that cannot be reached, and one that no agent could run on, ends here and
// costs no build. Where a closure is built for another system than the target's, that is said and
// no more: the result of a cross-compiler runs on another system than it was made on. The
// connections stay for Copy.

namespace belay::run {

/// Never throws: what went wrong is in the result and in the event of stage `copy`, to which
/// connecting belongs.
NodeResult survey_node(const CopyTools& tools, const plan::Node& node, NodeIndex index,
                       NodeLink& link, StepContext& context);

/// Whether a machine of `system` runs what is made for `other`. Pure.
bool runs(std::string_view system, std::string_view other);

} // namespace belay::run
