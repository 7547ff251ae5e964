# SPDX-License-Identifier: Apache-2.0
"""Flakes as people write them for deploy-rs, made of values.

A profile's package is a folder with a `deploy-rs-activate` that runs a shell script; it builds
offline in a moment. On the host the script has the host's /usr/bin and nothing else.
"""

import json
import pathlib

from .host import SYSTEM

HEAD = """\
{
  description = "hosts of a test";
  outputs = { self }: let
    package = name: script: derivation {
      inherit name;
      system = "%s";
      builder = "/bin/sh";
      PATH = "/usr/bin:/bin";
      text = "#!/bin/sh\\nset -eu\\n" + script;
      args = [ "-c" "mkdir $out && printf %%s \\"$text\\" >$out/deploy-rs-activate && chmod +x $out/deploy-rs-activate" ];
    };
  in {
    deploy = """ % SYSTEM


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
    return Expression(f"package {to_nix('app-' + version)} {to_nix(mark + script)}")


def profile(path, **settings):
    return {"path": path, "user": "root", **settings}


def node(host, path=None, profiles=None, **settings):
    """A node with one profile `system`, or with `profiles`."""
    return {"hostname": host.name, "profiles": profiles or {"system": profile(path)}, **settings}


def write(folder, nodes, **settings):
    """Writes `folder`/flake.nix. Short deadlines unless `settings` say otherwise."""
    deploy = {"sshUser": "root", "confirmTimeout": 5, "activationTimeout": 30, **settings,
              "nodes": nodes}
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "flake.nix").write_text(HEAD + to_nix(deploy) + ";\n  };\n}\n")
    return folder
