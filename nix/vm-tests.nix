# SPDX-License-Identifier: Apache-2.0
# One NixOS machine deploys to another: its own system, by belay; then a broken one, which has to be
# gone again. What the tests with real hosts (tests/fleet) cannot have: switch-to-configuration and
# systemd of a real NixOS.
{
  belay,
  deploy, # lib of the machines' system
}:
{
  name = "belay";

  nodes = {
    target =
      { ... }:
      {
        services.openssh.enable = true;
        boot.loader.grub.enable = false; # it is started from outside, and switch would install one
        nix.settings.experimental-features = [ "nix-command" "flakes" ];
        environment.etc."deployed-to".text = "target";
      };

    runner =
      { nodes, ... }:
      let
        good = deploy.activate.nixos { config = nodes.target; };
        bad = deploy.activate.custom nodes.target.system.build.toplevel "exit 4";
        flake = ''
          {
            outputs = { self }: {
              deploy = {
                sshUser = "root";
                sshOpts = [ "-i" "/root/key" "-o" "StrictHostKeyChecking=no" ];
                nodes.good = {
                  hostname = "target";
                  profiles.system.path = builtins.storePath "${good}";
                };
                nodes.bad = {
                  hostname = "target";
                  profiles.system.path = builtins.storePath "${bad}";
                };
              };
            };
          }
        '';
      in
      {
        environment.systemPackages = [ belay ];
        nix.settings.experimental-features = [ "nix-command" "flakes" ];
        nix.settings.substituters = [ ];
        virtualisation.additionalPaths = [ good bad ];
        environment.etc."deploy/flake.nix" = {
          text = flake;
          mode = "0644"; # a file, not a link that would lead out of the flake
        };
      };
  };

  testScript = ''
    start_all()
    target.wait_for_unit("sshd.service")
    runner.wait_for_unit("multi-user.target")

    runner.succeed("ssh-keygen -q -t ed25519 -N ''' -f /root/key")
    key = runner.succeed("cat /root/key.pub").strip()
    target.succeed(f"mkdir -p -m 700 /root/.ssh && echo '{key}' >/root/.ssh/authorized_keys")

    def deploy(node):
        return runner.execute(f"belay run --skip-checks '/etc/deploy#{node}' -- --impure 2>&1")

    def profile():
        return target.succeed("realpath /nix/var/nix/profiles/system").strip()

    code, said = deploy("good")
    assert code == 0, said
    running = profile()
    target.succeed("test -x /nix/var/nix/profiles/system/belay-agent")
    target.succeed("test \"$(cat /etc/deployed-to)\" = target")

    code, said = deploy("bad")
    assert code == 11, said
    assert profile() == running, profile()
    target.succeed("systemctl is-active sshd.service")
  '';
}
