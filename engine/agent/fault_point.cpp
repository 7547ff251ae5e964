// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/fault_point.h"

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/text.h"

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

// Of belay-agent-faults alone.
//
//   $BELAY_FAULT_FILE (default /run/belay-fault)   "stop POINT" or "kill POINT": whoever comes
//   there
//                                                  first removes the file and does that to itself
//   $BELAY_FAULT_TRACE                             gets a line for each point that is passed

namespace belay::agent {

namespace {

constexpr std::array deed_names = {
    "make-folder",
    "hold-decision",
    "make-profile-folder",
    "add-roots",
    "arm-boot-unit",
    "write-seen",
    "write-record",
    "start-keeper",
    "drop-request",
    "remove-request",
    "offer-decision",
    "show-canary",
    "take-canary",
    "decide-confirmed",
    "decide-expired",
    "set-profile",
    "switch-generation",
    "delete-generation",
    "restore-link",
    "remove-link",
    "write-mark",
    "start-script",
    "await-script",
    "stop-leftovers",
    "drop-roots",
    "disarm-boot-unit",
    "write-reported",
    "keep-log",
    "sweep",
};
static_assert(deed_names.size() == static_cast<std::size_t>(Deed::sweep) + 1);

std::string name_in_journal(Step step) {
  return "journal-" + std::string(name_of(step));
}

std::string variable(const char* name, const char* otherwise) {
  const char* const value = std::getenv(name); // NOLINT: nobody sets it in here
  return value == nullptr ? otherwise : value;
}

void trace(const std::string& point) {
  const auto path = variable("BELAY_FAULT_TRACE", "");
  if (path.empty()) {
    return;
  }
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (fd) {
    write_all(fd.get(), point + "\n");
  }
}

/// The signal for this point; 0 for none. Only one process gets it.
int signal_for(const std::string& point) {
  const auto path = variable("BELAY_FAULT_FILE", "/run/belay-fault");
  std::string wanted;
  try {
    wanted = trim(read_file(path, 4096));
  } catch (const Error&) { // none
  }
  const int number = wanted == "stop " + point ? SIGSTOP : wanted == "kill " + point ? SIGKILL : 0;
  return number != 0 && unlink(path.c_str()) == 0 ? number : 0;
}

thread_local std::string in_hand; // NOLINT: who wraps a system call is told nothing else

} // namespace

int signal_at_fault_point(const std::string& point) {
  trace(point);
  return signal_for(point);
}

void pass_fault_point(const std::string& point) {
  if (const int number = signal_at_fault_point(point); number != 0) {
    kill(getpid(), number);
  }
}

const std::string& deed_in_hand() {
  return in_hand;
}

std::string_view name_of(Deed deed) {
  return deed_names.at(static_cast<std::size_t>(deed));
}

CutAround::CutAround(Deed deed) : name_(name_of(deed)), outer_(std::exchange(in_hand, name_)) {
  pass_fault_point("before-" + name_);
}

CutAround::CutAround(Step step)
    : name_(name_in_journal(step)), outer_(std::exchange(in_hand, std::string())) {
  pass_fault_point("before-" + name_);
}

CutAround::~CutAround() {
  in_hand = outer_;
  pass_fault_point("after-" + name_);
}

void cut_within(Step step, int fd, std::string_view line) {
  const auto point = "within-" + name_in_journal(step);
  if (const int number = signal_at_fault_point(point); number != 0) {
    write_all(fd, line.substr(0, line.size() / 2));
    kill(getpid(), number);
  }
}

bool told_fault_points(std::string_view first_word) {
  if (first_word != "--list-fault-points") {
    return false;
  }
  for (const auto* name : deed_names) {
    std::printf("before-%s\nafter-%s\n", name, name);
  }
  for (int step = 0; !name_of(static_cast<Step>(step)).empty(); ++step) {
    const auto name = name_in_journal(static_cast<Step>(step));
    for (const auto* where : {"before", "within", "after"}) {
      std::printf("%s-%s\n", where, name.c_str());
    }
  }
  for (const auto& point : replace_fault_points()) {
    std::printf("%s\n", point.c_str());
  }
  return true;
}

} // namespace belay::agent
