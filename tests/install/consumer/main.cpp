// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/process.h"
#include "engine/plan/plan_file.h"
#include "engine/run/agent_finder.h"
#include "engine/ssh/ssh_transport.h"

#include <cstdio>

// Reads a plan file with the engine's own loader, and holds a transport, so that all of the engine's
// libraries are linked.

int main(int count, char** words) {
  if (count != 2) {
    return 2;
  }
  belay::PosixProcessRunner processes;
  const belay::ssh::SshTransport transport(processes);
  belay::plan::Diagnostics problems;
  belay::plan::parse_plan_file(belay::read_file(words[1], 1 << 20), words[1], problems);
  for (const auto& problem : problems) {
    std::printf("%s\n", problem.line_text().c_str());
  }
  std::printf("%s\n", belay::run::system_of_uname("Linux x86_64").c_str());
  return problems.empty() ? 0 : 1;
}
