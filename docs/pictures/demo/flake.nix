# What is deployed in the picture of README: five hosts, one of which has a broken migration.
{
  outputs = { self }:
    let
      system = "x86_64-linux";
      # `megabytes` that the host does not have yet, and what its activation does.
      host = hostname: megabytes: script: {
        inherit hostname;
        profiles.system.path = derivation {
          inherit system;
          name = hostname;
          builder = "/bin/sh";
          PATH = "/usr/bin:/bin";
          script = "#!/bin/sh\n" + script;
          args = [ "-c" ''
            mkdir $out
            head -c ${toString megabytes}000000 /dev/urandom >$out/site
            printf '%s' "$script" >$out/deploy-rs-activate
            chmod +x $out/deploy-rs-activate
          '' ];
        };
      };
    in
    {
      deploy = {
        sshUser = "root";
        user = "root";
        nodes = {
          web-1 = host "web-1" 24 "sleep 2";
          web-2 = host "web-2" 36 "sleep 1";
          web-3 = host "web-3" 28 "sleep 2";
          cache-1 = host "cache-1" 4 "sleep 4";
          db-1 = host "db-1" 12 ''
            echo "database of db-1 started"
            sleep 3
            ${if builtins.pathExists ./broken then "echo 'migration 7 ... failed' >&2; exit 4" else ""}
          '';
        };
      };
    };
}
