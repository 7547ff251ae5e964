# SPDX-License-Identifier: Apache-2.0
# Everything to build, test and check with; tests with real hosts need root as well.
{
  mkShell,
  belay,
  catch2_3,
  ccache,
  clang-tools,
  iproute2,
  jq,
  libxml2,
  nix,
  openssh,
  python3,
}:
mkShell {
  inputsFrom = [ belay ];
  packages = [
    catch2_3
    ccache
    clang-tools
    iproute2
    jq
    libxml2
    nix
    openssh
    python3
  ];
}
