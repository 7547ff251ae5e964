// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "reporters/reporter.h"

#include <filesystem>
#include <string>

// JUnit XML, as GitLab, GitHub's actions and Jenkins read it. A pure function of the run state, so
// that it can be made again from a saved event stream. It is written after every node, whole and by
// rename: whoever kills belay still finds a report. One of many nodes is written less often, so
// that it takes no more than a hundredth of the run's time. Until the run's end a write that fails
// is only one checkpoint less (a disk may be full for a moment); that the last one fails is an
// error.

namespace belay::reporters {

/// GitLab refuses 30 MB; logs are cut shorter until the report is under this, in bytes.
inline constexpr std::size_t junit_limit = 25'000'000;

std::string junit_xml(const event::RunState& state);

class JunitReporter final : public Reporter {
public:
  /// Writes an empty report at once: a path that cannot be written is Error{usage} now and not a
  /// lost report later.
  explicit JunitReporter(std::filesystem::path path);

  std::string name() const override { return "junit " + path_.string(); }
  void report(const event::Event& event, const event::RunState& state) override;

private:
  bool is_due(WallTime now) const;
  void write_checkpoint(const event::RunState& state, WallTime now);
  void write_last(const event::RunState& state, WallTime now);
  void write(const event::RunState& state, WallTime now);

  std::filesystem::path path_;
  std::size_t last_size_ = 0;
  WallTime last_written_{};
  bool owed_ = false;         ///< a node ended since
  std::string first_problem_; ///< of a checkpoint
};

} // namespace belay::reporters
