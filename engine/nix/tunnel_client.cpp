// SPDX-License-Identifier: Apache-2.0
#include "engine/nix/tunnel_client.h"

#include "engine/base/error.h"
#include "engine/nix/command.h"

#include <utility>

namespace belay::nix {

namespace {

/// Without it, Nix as root would give the store to the group `nixbld` where the runner's own
/// nix.conf says `build-users-group =`. Read by our side only.
constexpr std::string_view local_configuration = "build-users-group =\n";

constexpr std::string_view commands = "experimental-features = nix-command flakes\n";

std::string temporary_folder() {
  std::error_code failed;
  const auto folder = std::filesystem::temp_directory_path(failed);
  if (failed) {
    throw Error(ErrorKind::system, "the folder for temporary files cannot be used (" +
                                       failed.message() + "); set TMPDIR to one that exists");
  }
  return folder.string();
}

} // namespace

TunnelClient::TunnelClient(std::string store_uri, const std::string& sent)
    : store_uri_(std::move(store_uri)), sent_(std::string(commands) + sent),
      configuration_(temporary_folder() + "/belay-nix.") {
  replace_file(configuration_.path() / "nix.conf", local_configuration);
}

ProcessSpec TunnelClient::beside(std::vector<std::string> argv) const {
  ProcessSpec spec = nix_process(std::move(argv));
  spec.environment = {{"NIX_USER_CONF_FILES", "/dev/null"},
                      {"NIX_CONF_DIR", configuration_.path().string()},
                      {"NIX_CONFIG", sent_}};
  return spec;
}

/// By NIX_REMOTE and not by `--store`: that would be one more setting to send.
ProcessSpec TunnelClient::inside(std::vector<std::string> argv) const {
  ProcessSpec spec = beside(std::move(argv));
  spec.environment["NIX_REMOTE"] = store_uri_;
  return spec;
}

std::string sent_for_copy(bool substitute) {
  return std::string("builders-use-substitutes = ") + (substitute ? "true" : "false") + "\n";
}

std::string sent_for_build(const BuildCapacity& capacity) {
  const auto said = [](bool value) { return std::string(value ? "true\n" : "false\n"); };
  return "max-jobs = " + std::to_string(capacity.jobs) +
         "\ncores = " + std::to_string(capacity.cores) +
         "\nmax-silent-time = " + std::to_string(capacity.silence.count()) +
         "\nsubstitute = " + said(capacity.substitute) + "fallback = " + said(capacity.fallback) +
         "keep-failed = " + said(capacity.keep_failed);
}

} // namespace belay::nix
