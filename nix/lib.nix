# SPDX-License-Identifier: Apache-2.0
# What a flake makes its `deploy` output with. Names and signatures are those of deploy-rs's lib, so
# that its users change nothing but the input's url. A closure made here is the base that was given,
# and beside it
#
#   deploy-rs-activate   the activation script: DRY_ACTIVATE=1 and BOOT=1 choose its variants
#   belay-agent          the agent for the closure's system
#   activate-rs          the same program, which under this name speaks deploy-rs's own protocol
#
# No builder of nixpkgs is used: a shell and coreutils are all that it takes.
{
  system, # of the closures
  shell, # whole path: runs the builders, and the scripts on the target (bash, as with deploy-rs)
  coreutils,
  agent, # package with bin/belay-agent for `system`
}:
let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    replaceStrings
    ;

  quote = text: "'${replaceStrings [ "'" ] [ "'\\''" ] text}'";

  build =
    name: attributes: script:
    derivation (
      {
        inherit name system;
        builder = shell;
        args = [
          "-euc"
          script
        ];
        PATH = "${coreutils}/bin";
        preferLocalBuild = true;
        allowSubstitutes = false;
      }
      // attributes
    );

  # A name may hold what a store path may not.
  nameOf =
    base:
    let
      name = base.name or (baseNameOf (builtins.unsafeDiscardStringContext "${base}"));
    in
    builtins.head (builtins.match "[.]*(.*)" name);

  # What to do where a variant was not described: say so, and which script it is about.
  undescribed = what: ''echo "${what} is not described for this profile; activation is $0"'';

  activatable =
    {
      dryActivate ? undescribed "a dry run",
      boot ? undescribed "activation at the next boot",
      ...
    }:
    base: activate:
    build "activatable-${nameOf base}"
      {
        inherit base agent;
        text = ''
          #!${shell}
          set -euo pipefail
          if [ "''${DRY_ACTIVATE:-}" = 1 ]; then
          :
          ${dryActivate}
          elif [ "''${BOOT:-}" = 1 ]; then
          :
          ${boot}
          else
          :
          ${activate}
          fi
        '';
        passAsFile = [ "text" ]; # a script may be longer than an environment variable
      }
      ''
        test -d "$base" || {
          echo "$base is no folder: only a folder can carry an activation script" >&2
          exit 1
        }
        mkdir "$out"
        cat "$textPath" >"$out/deploy-rs-activate"
        chmod 555 "$out/deploy-rs-activate"
        ln -s "$agent/bin/belay-agent" "$out/belay-agent"
        ln -s "$agent/bin/belay-agent" "$out/activate-rs"
        for entry in "$base"/* "$base"/.[!.]*; do
          target=$out/''${entry##*/}
          if [ -e "$entry" ] || [ -L "$entry" ]; then
            [ -e "$target" ] || ln -s "$entry" "$target"
          fi
        done
      '';

  custom = {
    __functor = activatable;
  };

  # systemd-boot's default is what was booted last; a line in its configuration would pin another.
  unpinSystemdBoot =
    loader:
    if loader.systemd-boot.enable or false then
      ''
        loader=${quote "${loader.efi.efiSysMountPoint}/loader/loader.conf"}
        if [ -e "$loader" ]; then sed -i '/^default /d' "$loader"; fi
      ''
    else
      "";

  activate = {
    inherit custom;

    nixos =
      machine:
      (
        custom
        // {
          dryActivate = ''"$PROFILE"/bin/switch-to-configuration dry-activate'';
          boot = ''"$PROFILE"/bin/switch-to-configuration boot'';
        }
      )
        machine.config.system.build.toplevel
        ''
          cd /tmp # some services are restarted from where we stand, and the profile may go
          "$PROFILE"/bin/switch-to-configuration switch
          ${unpinSystemdBoot machine.config.boot.loader}
        '';

    home-manager = home: custom home.activationPackage ''"$PROFILE"/activate'';

    # sudo leaves HOME alone there, and the activation looks into it.
    darwin = machine: custom machine.config.system.build.toplevel ''HOME=/var/root "$PROFILE"/activate'';

    noop = base: custom base ":";
  };

  checkSchema =
    deploy:
    let
      problems = import ./schema.nix deploy;
    in
    build "deploy-schema"
      {
        problems = concatStringsSep "\n" problems;
        passAsFile = [ "problems" ];
      }
      ''
        if [ -s "$problemsPath" ]; then
          cat "$problemsPath" >&2
          echo >&2
          exit 1
        fi
        : >"$out"
      '';

  # All closures are looked at before the verdict.
  checkActivate =
    deploy:
    let
      closures = concatMap (
        node:
        map (profile: [
          "${node}.${profile}"
          "${deploy.nodes.${node}.profiles.${profile}.path}"
        ]) (attrNames (deploy.nodes.${node}.profiles or { }))
      ) (attrNames (deploy.nodes or { }));
    in
    build "deploy-activate"
      {
        script = ''
          worst=0
          look() {
            if ! [ -x "$2/deploy-rs-activate" ] && ! [ -x "$2/bin/switch-to-configuration" ]; then
              echo "$1: nothing activates $2: it has neither deploy-rs-activate nor" \
                "bin/switch-to-configuration" >&2
              worst=1
            fi
          }
          ${concatStringsSep "\n" (map (words: "look ${concatStringsSep " " (map quote words)}") closures)}
          [ "$worst" = 1 ] || : >"$out"
          exit "$worst"
        '';
        passAsFile = [ "script" ];
      }
      ''. "$scriptPath"'';
in
{
  inherit activate;

  setActivate = builtins.trace "setActivate is old: use activate.custom, activate.nixos or activate.noop" custom;

  deployChecks = deploy: {
    deploy-schema = checkSchema deploy;
    deploy-activate = checkActivate deploy;
  };
}
