# What is deployed: three hosts, written as for deploy-rs. A real flake takes deploy-rs's
# `lib.<system>.activate.nixos` and the like; here a profile is a folder with the one file that such
# a closure has, so that the example builds in a moment and without nixpkgs.
{
  description = "two web servers and a database";

  outputs = { self }:
    let
      system = "x86_64-linux";
      activate = name: script: derivation {
        inherit name system;
        builder = "/bin/sh";
        PATH = "/usr/bin:/bin";
        text = builtins.readFile script;
        args = [ "-c" ''mkdir $out && printf '%s' "$text" >$out/deploy-rs-activate && chmod +x $out/deploy-rs-activate'' ];
      };
      host = hostname: script: {
        inherit hostname;
        profiles.system = { user = "root"; path = activate hostname script; };
      };
    in
    {
      deploy = {
        sshUser = "root";
        nodes.web-1 = host "web-1" ./web.sh;
        nodes.web-2 = host "web-2" ./web.sh;
        nodes.db-1 = host "db-1" ./db.sh;
      };
    };
}
