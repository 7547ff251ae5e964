# SPDX-License-Identifier: Apache-2.0
# The runner, with the agents of the systems that it deploys to.
{
  lib,
  stdenv,
  cmake,
  cli11,
  httplib,
  libssh2,
  makeBinaryWrapper,
  ninja,
  nlohmann_json,
  openssh,
  openssl,
  pkg-config,
  spdlog,
  yaml-cpp,
  agents,
}:
let
  source = import ./source.nix { inherit lib; };

  # Where the runner looks: ../share/belay/agents/SYSTEM from its own executable.
  installAgent = agent: ''
    install -D -m 755 ${lib.getExe agent} \
      $out/share/belay/agents/${agent.stdenv.hostPlatform.system}/belay-agent
  '';
in
stdenv.mkDerivation {
  pname = "belay";
  inherit (source) version;
  src = source.runner;

  strictDeps = true;
  nativeBuildInputs = [
    cmake
    makeBinaryWrapper
    ninja
    pkg-config
  ];
  buildInputs = [
    cli11
    httplib
    libssh2
    nlohmann_json
    openssl
    spdlog
    yaml-cpp
  ];

  # The agents come from elsewhere.
  cmakeFlags = [ (lib.cmakeBool "BELAY_AGENT" false) ];

  # The program alone: whoever builds on the engine builds it with the compiler of their own.
  installPhase = ''
    runHook preInstall
    cmake --install . --component runner
    ${lib.concatMapStrings installAgent agents}
    runHook postInstall
  '';

  # ssh resolves ssh_config, ssh-keygen known_hosts. The user's own come first; so does their Nix,
  # which is none of ours to choose.
  postFixup = ''
    wrapProgram $out/bin/belay --suffix PATH : ${lib.makeBinPath [ openssh ]}
  '';

  doInstallCheck = stdenv.buildPlatform.canExecute stdenv.hostPlatform;
  installCheckPhase = ''
    runHook preInstallCheck
    $out/bin/belay --version | grep -F ${source.version}
    runHook postInstallCheck
  '';

  meta = {
    description = "Deployment runner for Nix profiles, made for CI";
    license = lib.licenses.asl20;
    mainProgram = "belay";
    platforms = lib.platforms.linux;
  };
}
