// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/nix/internal_json.h"
#include "engine/nix/nix_store.h"

#include <deque>
#include <map>
#include <set>
#include <unordered_map>

// Follows the internal-json lines of one Nix process: tells the sink what is worth saying, and
// remembers what a failure will be explained with - the errors in their order, which derivations
// were started, the tail of each one's log. All of it is bounded, whatever a build prints.

namespace belay::nix {

class LogFollower {
public:
  /// `quiet_finish`: derivations whose end the caller reports itself, because it will know better.
  explicit LogFollower(ProgressSink sink, std::set<std::string> quiet_finish = {});

  /// One line of stderr.
  void take(std::string_view line);

  struct Failure {
    std::string derivation; ///< empty where the message names none
    std::string message;
  };
  /// Errors in the order in which Nix said them, without those that merely tell that something
  /// else failed.
  const std::deque<Failure>& failures() const { return failures_; }
  /// Those that are about no derivation ("no space left"), as text.
  std::string general_errors() const;
  /// All errors; where there is none, what came that was not JSON.
  std::string errors() const;

  bool started(const std::string& derivation) const { return started_.contains(derivation); }
  /// When the build of it ended; Instant::max() where it has not.
  Instant finished_at(const std::string& derivation) const;
  std::string log_tail(const std::string& derivation) const;
  const std::vector<std::string>& copied() const { return copied_; }

private:
  struct Activity {
    std::int64_t type = -1;
    std::string subject;
  };
  void take_start(const LogRecord& record);
  void take_stop(const LogRecord& record);
  void take_log_line(const LogRecord& record);
  void take_expected(const LogRecord& record);
  void take_message(const LogRecord& record);
  void keep_plain(const std::string& text);
  void say(Progress progress) const;
  void say_lines(const std::string& text) const;

  ProgressSink sink_;
  std::set<std::string> quiet_finish_;
  std::unordered_map<std::int64_t, Activity> activities_;
  std::map<std::int64_t, std::int64_t> expected_; ///< bytes to copy, by activity
  std::deque<Failure> failures_;
  std::deque<std::string> secondary_; ///< errors that tell of others
  std::deque<std::string> plain_;
  std::unordered_map<std::string, Instant> started_; ///< to when it stopped
  std::unordered_map<std::string, std::deque<std::string>> logs_;
  std::deque<std::string> log_order_;
  std::vector<std::string> copied_;
};

/// Whether an error merely tells that something else failed ("1 dependencies of …").
bool tells_of_another(std::string_view message);
/// The derivation that an error is about: the only one that it names, else empty.
std::string failed_derivation(std::string_view message);

} // namespace belay::nix
