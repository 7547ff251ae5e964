# SPDX-License-Identifier: Apache-2.0
# The tests that a build sandbox can run: the scheduler's simulation, reports against their golden
# files, documentation against the code. Those with real hosts need tests/run.sh.
{
  lib,
  belay,
  catch2_3,
  libxml2,
  python3,
}:
let
  source = import ./source.nix { inherit lib; };
in
belay.overrideAttrs (old: {
  pname = "belay-tests";
  src = source.tests;

  nativeBuildInputs = old.nativeBuildInputs ++ [
    libxml2
    python3
  ];
  buildInputs = old.buildInputs ++ [ catch2_3 ];
  # Some of the tests that do not run here depend on the agent.
  cmakeFlags = old.cmakeFlags ++ [
    (lib.cmakeBool "BELAY_AGENT" true)
    (lib.cmakeBool "BELAY_TESTS" true)
  ];
  ninjaFlags = [
    "simulation_tests"
    "golden_tests"
    "docs_tests"
  ];

  doCheck = true;
  checkPhase = ''
    runHook preCheck
    ctest --output-on-failure -L '^(simulation|golden|docs)$'
    runHook postCheck
  '';

  installPhase = "touch $out";
  postFixup = "";
  doInstallCheck = false;
})
