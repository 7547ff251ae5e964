// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/transaction_files.h"

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

// What a person wants to read after a deploy that ended oddly: who asked, each step that was taken
// and when, the end of what each profile's scripts printed, what the keeper complained about. While
// a transaction's folder stands, that is written from it; before the folder goes it is written down
// in `logs/` of the state directory, of which the newest are kept. So it stays on the target,
// bounded in size and number, also where no runner ever heard of it.

namespace belay::agent {

/// Of one deploy: the most of a profile's output, and of all of it.
inline constexpr std::size_t log_output_limit = 64 * 1024;
inline constexpr std::size_t deploy_log_limit = 256 * 1024;
/// So many are kept of deploys whose folders are gone.
inline constexpr std::size_t kept_logs = 20;

/// Lines without anything that a terminal would obey. From its folder, else as it was kept; nullopt
/// where there is neither.
std::optional<std::string> deploy_log(const TransactionFiles& files);

/// Writes it down, and removes the oldest where there are too many. Throws Error{system}. One at a
/// time: under the state directory's mutex.
void keep_log(const TransactionFiles& files);

/// Of every deploy that is still known, the oldest first.
std::string all_deploy_logs(const std::filesystem::path& state_directory);

/// A piece of `log` from `offset` that fits a line of the protocol, whole lines where there are
/// any.
std::string_view log_part(std::string_view log, std::size_t offset);

} // namespace belay::agent
