# SPDX-License-Identifier: Apache-2.0
# For NixOS machines that are deployed to. None of it is needed: the agent comes along with every
# deploy, and arms the unit below by itself while a deploy is not confirmed. Where /etc cannot be
# written (system.etc.overlay.mutable = false) it cannot do that, and a reboot in that window is
# undone only by the next deploy. With this module it is undone at boot there as well.
{
  config,
  lib,
  pkgs,
  utils,
  ...
}:
let
  cfg = config.services.belay-agent;
in
{
  options.services.belay-agent = {
    enable = lib.mkEnableOption "undoing, at boot, belay's deploys that were never confirmed";

    package = lib.mkPackageOption pkgs "belay-agent" { };

    stateDirectory = lib.mkOption {
      type = lib.types.path;
      default = "/nix/var/nix/belay";
      description = ''
        Where root's transactions are kept: `belay` below Nix's state directory.
      '';
    };
  };

  config = lib.mkIf cfg.enable {
    # belay-agent status says how transactions stand.
    environment.systemPackages = [ cfg.package ];

    # The unit that the agent arms, word for word (engine/agent/boot_unit.cpp): this one takes its
    # place. So it starts the agent that was armed, and the machine's own, which may be of another
    # release, only where there is none.
    systemd.services.belay-recover = {
      description = "Undo deploys that were never confirmed";
      wantedBy = [ "multi-user.target" ];
      after = [
        "local-fs.target"
        "sysinit.target"
        "dbus.socket"
      ];
      before = [ "shutdown.target" ];
      conflicts = [ "shutdown.target" ];
      unitConfig.DefaultDependencies = false;

      # A matter of the boot alone: switch-to-configuration, which runs in the middle of a deploy,
      # starts what a target wants and is not active, and restarts what changed.
      restartIfChanged = false;
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        TimeoutStartSec = "infinity";
        KillMode = "process";
        ExecStart = utils.escapeSystemdExecArgs [
          pkgs.runtimeShell
          "-c"
          ''for agent; do if [ -x "$agent" ]; then exec "$agent" recover --state-directory "$0"; fi; done''
          cfg.stateDirectory
          "${cfg.stateDirectory}/recover-agent"
          (lib.getExe cfg.package)
        ];
      };
    };
  };
}
