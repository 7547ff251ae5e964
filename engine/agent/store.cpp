// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/store.h"

#include "engine/agent/nix_tools.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <unistd.h>

namespace belay::agent {

namespace {

constexpr int not_found = 127; // as a shell says it

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

} // namespace

int serve_store() {
  const auto path =
      path_with_nix(variable("PATH"), nix_folders(variable("HOME"), variable("USER")));
  const auto daemon = find_program("nix-daemon", path);
  if (!daemon) {
    std::fprintf(stderr, "belay-agent: there is no nix-daemon in %s\n", path.c_str());
    return not_found;
  }
  std::printf("%s\n", std::string(store_greeting).c_str());
  std::fflush(stdout);
  signal(SIGHUP, SIG_DFL); // it shall end with its connection
  signal(SIGPIPE, SIG_DFL);
  execl(daemon->c_str(), "nix-daemon", "--stdio", nullptr);
  std::perror(("belay-agent: " + *daemon).c_str());
  return not_found;
}

} // namespace belay::agent
