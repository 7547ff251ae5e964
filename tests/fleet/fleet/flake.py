# SPDX-License-Identifier: Apache-2.0
"""Flakes as people write them for deploy-rs, made of values.

A profile's package is a folder with a `deploy-rs-activate` that runs a shell script, and a system's
one also has a `bin/switch-to-configuration`; it builds offline in a moment. On the host the script
has the host's /usr/bin and nothing else.
"""

import json
import pathlib

from .host import SYSTEM

HEAD = """\
{
  description = "hosts of a test";
  outputs = { self }: let
    package = name: script: switch: derivation {
      inherit name;
      system = "%s";
      builder = "/bin/sh";
      PATH = "/usr/bin:/bin";
      text = "#!/bin/sh\\nset -eu\\n" + script;
      switch = if switch == null then "" else "#!/bin/sh\\nset -eu\\n" + switch;
      args = [ "-c" "set -eu; mkdir -p $out/bin; put() { printf %%s \\"$2\\" >$out/$1; chmod +x $out/$1; }; put deploy-rs-activate \\"$text\\"; test -z \\"$switch\\" || put bin/switch-to-configuration \\"$switch\\"" ];
    };
    quote = text: "'" + builtins.replaceStrings [ "'" ] [ "'\\\\''" ] text + "'";
    files = name: programs: derivation {
      inherit name;
      system = "%s";
      builder = "/bin/sh";
      PATH = "/usr/bin:/bin";
      args = [ "-euc" ("put() { mkdir -p $out/$(dirname $1); printf %%s \\"$2\\" >$out/$1; chmod +x $out/$1; };"
        + toString (map (path: "put ${quote path} ${quote programs.${path}};") (builtins.attrNames programs))) ];
    };
    bytes = megabytes: derivation {
      name = "${toString megabytes}-mb";
      system = "%s";
      builder = "/bin/sh";
      PATH = "/usr/bin:/bin";
      args = [ "-c" "head -c ${toString megabytes}000000 /dev/urandom >$out" ];
    };
  in {
    """ % (SYSTEM, SYSTEM, SYSTEM)


class Expression(str):
    """Nix as it is to stand in the flake."""


def to_nix(value):
    """A value as a Nix expression. Every string is quoted, whatever is in it."""
    if isinstance(value, Expression):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("${", "\\${")
    if isinstance(value, dict):
        return "{ " + " ".join(f"{to_nix(str(key))} = {to_nix(item)};"
                               for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[ " + " ".join(f"({to_nix(item)})" for item in value) + " ]"
    return json.dumps(value)


def package(version, script=""):
    """A closure that leaves its version on the host, then runs `script`."""
    mark = f"echo {version} >>/var/lib/activated\necho activating {version}\n"
    return Expression(f"package {to_nix('app-' + version)} {to_nix(mark + script)} null")


SWITCH = """\
echo {version}:$1 >>/var/lib/activated
case $1 in boot | switch) echo {version} >/var/lib/boot-default ;; esac
case $1 in test | switch) ln -sfn "$(dirname "$(dirname "$(realpath "$0")")")" /run/current-system ;; esac
"""
ACTIVATE_SYSTEM = """\
if [ "${BOOT-0}" = 1 ]; then exec "$PROFILE/bin/switch-to-configuration" boot; fi
exec "$PROFILE/bin/switch-to-configuration" switch
"""


def system(version, script=""):
    """A closure as NixOS and deploy-rs make it: it leaves VERSION:HOW, is what runs after test and
    switch, and what would be booted after boot and switch. `script` ends switch-to-configuration."""
    switch = SWITCH.format(version=version) + script
    return Expression(f"package {to_nix('app-' + version)} {to_nix(ACTIVATE_SYSTEM)} "
                      f"{to_nix(switch)}")


def system_alone(version, script=""):
    """A system as NixOS makes it by itself: no deploy-rs-activate."""
    return files("app-" + version, {"bin/switch-to-configuration": "#!/bin/sh\nset -eu\n"
                                    + SWITCH.format(version=version) + script})


def files(name, programs):
    """A closure of these programs, by their paths in it."""
    return Expression(f"files {to_nix(name)} {to_nix(programs)}")


def profile(path, **settings):
    return {"path": path, "user": "root", **settings}


def node(host, path=None, profiles=None, **settings):
    """A node with one profile `system`, or with `profiles`."""
    return {"hostname": host.name, "profiles": profiles or {"system": profile(path)}, **settings}


def write(folder, nodes, outputs="", **settings):
    """Writes `folder`/flake.nix. Short deadlines unless `settings` say otherwise. `outputs`: more of
    the flake's, as Nix."""
    deploy = {"sshUser": "root", "confirmTimeout": 5, "activationTimeout": 30, **settings,
              "nodes": nodes}
    return write_outputs(folder, f"{outputs}\ndeploy = {to_nix(deploy)};")


def write_outputs(folder, outputs):
    """The same of outputs alone; `package NAME SCRIPT null` makes a closure in them."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "flake.nix").write_text(HEAD + outputs + "\n  };\n}\n")
    return folder
