// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/base/process.h"
#include "engine/ssh/ssh_transport.h"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

// As many times as asked: a fresh connection to a host, a login, one command, its end. As a node's
// deploy does it twice. login.sh measures it beside `ssh`.
//
//   login_bench HOST TIMES

namespace belay::bench {

namespace {

void log_in(ssh::SshTransport& transport, const std::string& host) {
  const auto wait = Wait::at_most(std::chrono::seconds(30));
  ssh::HostAddress address;
  address.name = host;
  address.hostname = host;
  address.user = "root";
  const auto session = transport.connect(address, ssh::Purpose::work, {}, wait);
  const auto channel = session->exec("true", wait);
  char buffer[64];
  while (channel->read(buffer, sizeof buffer, wait) > 0) {
  }
  const auto end = channel->close(wait);
  if (!end.succeeded()) {
    throw Error(ErrorKind::unreachable, host + ": " + end.describe());
  }
}

} // namespace

} // namespace belay::bench

int main(int argument_count, char** arguments) {
  if (argument_count != 3) {
    std::fprintf(stderr, "login_bench HOST TIMES\n");
    return 2;
  }
  try {
    belay::PosixProcessRunner processes;
    belay::ssh::SshTransport transport(processes);
    for (auto left = std::strtoul(arguments[2], nullptr, 10); left > 0; --left) {
      belay::bench::log_in(transport, arguments[1]);
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "login_bench: %s\n", error.what());
    return 1;
  }
}
