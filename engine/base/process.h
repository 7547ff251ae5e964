// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/cancel.h"

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Running other programs: argv only, never a shell. A child gets a process group of its own, so
// that what it starts is stopped with it: TERM to the group, a grace time, then KILL. Its stdin is
// empty unless `input` says otherwise. Output goes to callbacks line by line as it comes, and the
// tail of it is kept under a cap.

namespace belay {

struct ProcessSpec {
  std::vector<std::string> argv;                                 ///< argv[0] is looked up in PATH
  std::map<std::string, std::optional<std::string>> environment; ///< set, or unset where nullopt
  std::filesystem::path directory;                               ///< empty = ours
  std::string input;                                             ///< its whole stdin
  std::size_t output_cap = 1 << 20; ///< bytes of each stream that are kept (the last ones)
  std::size_t line_cap = 64 * 1024; ///< longer lines reach the callbacks in pieces
  Duration term_grace = std::chrono::seconds(10); ///< between TERM and KILL
  /// Linux: KILL when the thread that started it ends, however that ends. Elsewhere nothing.
  bool dies_with_parent = false;
  std::function<void(std::string_view line)> on_stdout_line; ///< without the line's end
  std::function<void(std::string_view line)> on_stderr_line;
};

struct ProcessResult {
  enum class End {
    exited,    ///< `status` is its exit status
    signalled, ///< `status` is the signal that killed it
    timed_out, ///< we stopped it at the deadline
    cancelled, ///< we stopped it because the token fired
  };
  End end = End::exited;
  int status = 0;
  std::string out;        ///< the last output_cap bytes of stdout
  std::string err;        ///< the last output_cap bytes of stderr
  bool truncated = false; ///< something was cut from out or err

  bool succeeded() const { return end == End::exited && status == 0; }
  /// "exited with 4", "was killed by SIGKILL", "was stopped at its deadline".
  std::string describe() const;
};

/// Starts programs. The real one may be used by any number of threads at once. Throws Error{system}
/// when the program cannot be started at all (not found in PATH, no permission, no memory).
class ProcessRunner {
public:
  virtual ~ProcessRunner() = default;
  /// Runs to the end, or until `wait` says stop; then the group is stopped and awaited.
  virtual ProcessResult run(const ProcessSpec& spec, const Wait& wait) = 0;
};

class PosixProcessRunner final : public ProcessRunner {
public:
  ProcessResult run(const ProcessSpec& spec, const Wait& wait) override;
};

/// What a program prints on stdout, trimmed; empty where it fails or cannot be started.
std::string output_of(ProcessRunner& processes, std::vector<std::string> argv, const Wait& wait);

/// "SIGKILL" for 9; "signal 77" for one without a name.
std::string signal_name(int signal);

} // namespace belay
