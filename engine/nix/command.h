// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/process.h"
#include "engine/base/store_path.h"

#include <functional>
#include <span>
#include <string>
#include <vector>

// How every Nix process of the runner is started: the argument lists and the limits that all of
// them share, and what an end means that Nix did not choose itself.

namespace belay::nix {

/// argv of the new command line ("eval", "flake check"); it is experimental to this day, so it is
/// switched on beside whatever the user's settings say.
std::vector<std::string> nix_command(std::string_view verb);

/// A spec with room for long lines and logs.
ProcessSpec nix_process(std::vector<std::string> argv);

/// How a process is made of its arguments: nix_process for the runner's own store, or that of a
/// TunnelClient for a target's.
using MakeProcess = std::function<ProcessSpec(std::vector<std::string> argv)>;

/// Throws Error{cancelled} or Error{deadline_exceeded} where it was us who ended the process;
/// `what` is the subject of the message ("evaluating .#deploy").
void throw_if_stopped(const ProcessResult& result, const std::string& what);

/// Runs a short query; throws Error{system} with Nix's message where it fails.
std::string run_query(ProcessRunner& runner, ProcessSpec spec, const Wait& wait,
                      const std::string& what);

/// Cuts a list into argument lists that the kernel takes (128 KiB each: half of what it grants to
/// arguments and environment with an 8 MiB stack is 1 MiB, and some environments are large).
std::vector<std::vector<StorePath>> batches(std::span<const StorePath> paths);

/// What of the user's NIX ARGS `nix-store --realise` takes: those that only evaluation knows
/// (`--override-input A B`, `--impure`, …) and `-L` are left out.
std::vector<std::string> build_arguments(const std::vector<std::string>& nix_arguments);

/// The same for `nix-instantiate` and `nix-build`, which know more of them; what is about flakes is
/// handed on, for Nix to refuse.
std::vector<std::string> classic_arguments(std::vector<std::string> nix_arguments);

/// Nix's own error without colours and its "error: ", what is wrong first (whichever release says
/// it), cut to what a person reads.
std::string readable_error(std::string_view text);

} // namespace belay::nix
