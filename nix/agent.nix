# SPDX-License-Identifier: Apache-2.0
# What runs on targets. Called from a static package set (nix/packages.nix).
{
  lib,
  stdenv,
  cmake,
  ninja,
  nlohmann_json,
}:
let
  source = import ./source.nix { inherit lib; };
in
stdenv.mkDerivation {
  pname = "belay-agent";
  inherit (source) version;
  src = source.agent;

  strictDeps = true;
  nativeBuildInputs = [
    cmake
    ninja
  ];
  buildInputs = [ nlohmann_json ];

  cmakeFlags = [ (lib.cmakeBool "BELAY_RUNNER" false) ];

  # It is copied to machines where nothing else of its closure is.
  allowedReferences = if stdenv.hostPlatform.isDarwin then null else [ ];

  doInstallCheck = stdenv.buildPlatform.canExecute stdenv.hostPlatform;
  installCheckPhase = ''
    runHook preInstallCheck
    $out/bin/belay-agent --version | grep -F '(${stdenv.hostPlatform.system})'
    runHook postInstallCheck
  '';

  meta = {
    description = "Switches, confirms and rolls back the Nix profiles of the machine that it runs on";
    license = lib.licenses.asl20;
    mainProgram = "belay-agent";
    platforms = lib.platforms.linux ++ lib.platforms.darwin;
  };
}
