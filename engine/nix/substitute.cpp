// SPDX-License-Identifier: Apache-2.0
#include "engine/base/text.h"
#include "engine/nix/command.h"
#include "engine/nix/local_nix.h"
#include "engine/nix/validity.h"

// `nix-store --realise PATH` of a path that is no derivation can only substitute it. What counts is
// which paths are valid afterwards, never the exit status.

namespace belay::nix {

std::vector<bool> LocalNix::substitute(const std::vector<StorePath>& paths,
                                       const std::vector<std::string>& nix_arguments,
                                       const ProgressSink& sink, const Wait& wait) {
  for (const auto& batch : batches(paths)) {
    std::vector<std::string> argv{"nix-store", "--realise", "--keep-going"};
    const auto arguments = build_arguments(nix_arguments);
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    for (const auto& path : batch) {
      argv.push_back(path.string());
    }
    ProcessSpec spec = nix_process(std::move(argv));
    spec.on_stderr_line = [&sink](std::string_view line) {
      if (sink) {
        sink({.derivation = {}, .text = one_line(line)});
      }
    };
    throw_if_stopped(runner_.run(spec, wait), "fetching what was planned");
  }
  roots_.add(paths, wait);
  return valid_paths(runner_, paths, wait);
}

} // namespace belay::nix
