// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/activate_rs_options.h"
#include "engine/agent/host.h"

// `activate-rs`: this agent by the name under which deploy-rs's own `deploy` calls it, three times
// over three logins. `activate` opens a transaction as a runner's would be, has the keeper
// activate, makes the canary (canary.h) when the profile awaits its confirmation, and watches it;
// `wait` returns when a canary is there whose transaction really awaits that, not for an older
// one's; `rm` of the canary confirms. `revoke` takes back what the last activation of a profile
// did, by that transaction's own record (reopen.h).
//
// Who decides is the keeper all the same. This process may be killed at any time: then nobody
// notices the removal, and the keeper rolls back at its deadline.

namespace belay::agent {

/// The exit status: 0, or 1 after a word on stderr. Throws Error for what could not be done at all.
int activate_rs(const ActivateRsCommand& command, const Host& host);

} // namespace belay::agent
