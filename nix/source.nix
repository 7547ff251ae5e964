# SPDX-License-Identifier: Apache-2.0
# What the packages are made of. Only what a program is built from is in its source, so that a change
# elsewhere does not build it again.
{ lib }:
let
  from =
    paths:
    lib.fileset.toSource {
      root = ../.;
      fileset = lib.fileset.unions paths;
    };

  ofAgent = [
    ../CMakeLists.txt
    ../LICENSE
    ../cmake
    ../engine/agent
    ../engine/base
  ];

  ofRunner = ofAgent ++ [
    ../README.md
    ../docs
    ../engine
    ../reporters
    ../runner
  ];
in
{
  version = "0.1.0";

  agent = from ofAgent;
  runner = from ofRunner;
  tests = from (
    ofRunner
    ++ [
      ../.clang-format
      ../ci-examples
      ../tests
    ]
  );
}
