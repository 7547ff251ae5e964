// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/ssh/ssh_config.h"
#include "engine/ssh/target.h"
#include "tests/fuzz/fuzz_target.h"

// What `ssh -G` printed, and a hostname as a plan writes it. The text is both answers, the host's
// and the empty configuration's, with a line "--" in between; its first line is the hostname too.

namespace belay::fuzz {

namespace {

void feed_answer(const std::string& answer, const std::string& empty_answer) {
  try {
    const ssh::ResolvedHost host = ssh::interpret_ssh_config(answer, empty_answer);
    require(host.port != 0, "a port is one");
    require(host.alive_interval >= Duration::zero() && host.alive_count >= 0,
            "no times before now");
    for (const std::string& why : host.unsupported)
      require(!why.empty(), "what needs the ssh program is named");
  } catch (const Error& error) {
    require(error.kind() == ErrorKind::invalid_plan, "no configuration: invalid_plan");
    require(!error.message().empty(), "an error says what is wrong");
  }
}

void feed_hostname(const std::string& hostname) {
  try {
    const ssh::Target target = ssh::parse_target(hostname);
    require(!target.host.empty() && target.host.front() != '-', "a host is never an option");
    require(target.user.empty() || target.user.front() != '-', "a user is never an option");
    require(target.host.find_first_of(" \t\r\n") == std::string::npos, "a host is one word");
    require(target.port != 0, "a port is one");
  } catch (const Error& error) {
    require(error.kind() == ErrorKind::invalid_plan, "no hostname: invalid_plan");
  }
}

} // namespace

void feed(std::string_view text) {
  constexpr std::string_view between = "\n--\n";
  const std::size_t end = text.find(between);
  const std::string answer(text.substr(0, end));
  const std::string empty_answer(end == std::string_view::npos ? ""
                                                               : text.substr(end + between.size()));
  feed_answer(answer, empty_answer);
  feed_answer(answer, answer);
  feed_hostname(std::string(text.substr(0, text.find('\n'))));
}

} // namespace belay::fuzz
