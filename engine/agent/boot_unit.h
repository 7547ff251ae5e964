// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

// What undoes an unconfirmed deploy after a reboot. A transient unit is gone by then, so a real one
// is put where systemd looks at boot and where root may write even on NixOS:
// /etc/systemd/system.attached. It runs `recover` of the rooted agent, as early as the old
// generation's script can run again (that of NixOS talks to the system bus), waits for no network
// (the new generation may have none), and is taken away with the last open transaction.
//
// A unit of the same name in the machine's own configuration (nix/module.nix) takes its place. For
// that one STATE/recover-agent is a link to the agent that would have been started.

namespace belay::agent {

class BootUnit {
public:
  explicit BootUnit(std::filesystem::path folder = "/etc/systemd/system.attached")
      : folder_(std::move(folder)) {}

  // Who calls either holds the mutex of that state directory. What a killed one left unfinished
  // goes, too.

  /// False where it cannot be written.
  bool arm(const std::string& agent, const std::filesystem::path& state_directory) const;
  /// Leaves one alone that looks after another state directory.
  void disarm(const std::filesystem::path& state_directory) const;

  /// The unit's text.
  static std::string text(const std::string& agent, const std::filesystem::path& state_directory);

  /// Where the link to the agent stands.
  static std::filesystem::path agent_link(const std::filesystem::path& state_directory) {
    return state_directory / "recover-agent";
  }

private:
  std::filesystem::path unit() const { return folder_ / "belay-recover.service"; }
  std::filesystem::path link() const {
    return folder_ / "multi-user.target.wants/belay-recover.service";
  }
  std::filesystem::path folder_;
};

} // namespace belay::agent
