// SPDX-License-Identifier: Apache-2.0
#include "engine/nix/command.h"
#include "engine/nix/local_nix.h"
#include "engine/nix/log_follower.h"
#include "engine/nix/tunnel_client.h"

namespace belay::nix {

namespace {

std::vector<std::string> copy_command(const CopyRequest& request,
                                      const std::vector<StorePath>& paths) {
  std::vector<std::string> argv{"nix",           "copy", "--log-format",
                                "internal-json", "--to", request.store_uri};
  if (request.derivations) {
    argv.emplace_back("--derivation");
  }
  if (request.substitute) {
    argv.emplace_back("--substitute-on-destination");
  }
  if (!request.check_signatures) {
    argv.emplace_back("--no-check-sigs");
  }
  for (const auto& path : paths) {
    argv.push_back(path.string());
  }
  return argv;
}

} // namespace

CopyOutcome LocalNix::copy(const CopyRequest& request, const ProgressSink& sink, const Wait& wait) {
  const TunnelClient client(request.store_uri, sent_for_copy(request.substitute));
  LogFollower log(sink);
  CopyOutcome outcome;
  for (const auto& batch : batches(request.paths)) {
    ProcessSpec spec = client.beside(copy_command(request, batch));
    spec.on_stderr_line = [&log](std::string_view line) { log.take(line); };
    outcome.process = runner_.run(spec, wait);
    if (!outcome.process.succeeded()) {
      break;
    }
  }
  outcome.process.err = log.errors(); // as people read it, instead of JSON
  outcome.copied = log.copied();
  return outcome;
}

} // namespace belay::nix
