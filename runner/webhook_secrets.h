// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/plan/plan.h"
#include "reporters/webhook.h"
#include "runner/ci_context.h"

// A plan's webhook with its URL and secrets fetched from where the plan says that they are.

namespace belay::runner {

/// Throws Error{secret} that names the variable or file and the plan's line; never a value.
reporters::WebhookOptions fetch_webhook(const plan::Webhook& webhook,
                                        const Environment& environment);

} // namespace belay::runner
