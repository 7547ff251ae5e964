// SPDX-License-Identifier: Apache-2.0
#include "engine/base/file.h"
#include "engine/nix/command.h"
#include "engine/nix/local_nix.h"
#include "engine/nix/log_follower.h"

// Nix's unix:// client sends its settings to the daemon at the other end, which is the target's:
// the user's and NIX_CONFIG's each by name, and a handful (substitute, cores, max-jobs, fallback,
// …) whatever file they came from. So the copy sees no file of the runner's: the system's nix.conf
// is replaced by one that says only what must not be left to Nix's default here, and nothing of
// that one is sent.

namespace belay::nix {

namespace {

/// Without it, Nix as root would give the store to the group `nixbld` where the runner's own
/// nix.conf says `build-users-group =`. Read by our side only.
constexpr std::string_view local_configuration = "build-users-group =\n";

std::string sent_configuration(bool substitute) {
  return std::string("experimental-features = nix-command flakes\nbuilders-use-substitutes = ") +
         (substitute ? "true" : "false") + "\n";
}

std::vector<std::string> copy_command(const CopyRequest& request,
                                      const std::vector<StorePath>& paths) {
  std::vector<std::string> argv{"nix",           "copy", "--log-format",
                                "internal-json", "--to", request.store_uri};
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
  const TemporaryDirectory configuration(
      (std::filesystem::temp_directory_path() / "belay-nix.").string());
  replace_file(configuration.path() / "nix.conf", local_configuration);
  LogFollower log(sink);
  CopyOutcome outcome;
  for (const auto& batch : batches(request.paths)) {
    ProcessSpec spec = nix_process(copy_command(request, batch));
    spec.environment = {{"NIX_USER_CONF_FILES", "/dev/null"},
                        {"NIX_CONF_DIR", configuration.path().string()},
                        {"NIX_CONFIG", sent_configuration(request.substitute)}};
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
