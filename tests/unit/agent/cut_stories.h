// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/unit/agent/cut_host.h"

#include <set>
#include <string>
#include <vector>

// Deploys as runners have them, each by another way through the agent, so that together they pass
// every point at which it can be cut off.

namespace belay::agent::test {

/// All but "next", in the order in which they are preferred: short ones first.
std::vector<std::string> stories();
/// What it needs before.
CutHost::Before before(const std::string& story);
/// The generations of which one is current after it was cut off, wherever that was.
std::set<std::string> outcomes(const std::string& story);

/// Throws Error where something goes otherwise, being cut off included.
void play_story(const std::string& story, const CutHost& host);
/// CutHost::query for one transaction.
void query_transaction(const CutHost& host, const std::string& id);

} // namespace belay::agent::test
