// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/event/event.h"
#include "reporters/console_line.h"
#include "reporters/console_table.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

// The part of the console that moves: what goes on now, as lines for a terminal of a given size. A
// fold of events and a function of it and the time; nothing here knows of a terminal. A node has a
// line while one of its stages runs and for a moment after, so that it does not jump between two
// stages; the one that has been at it for longest stands first, because that is where one looks.

namespace belay::reporters {

struct TerminalSize {
  std::size_t columns = 80;
  std::size_t rows = 24;
  bool operator==(const TerminalSize&) const = default;
};

using Frame = std::vector<ConsoleLine>;

class LiveView {
public:
  /// How long a node keeps its line when a stage has ended and none has begun.
  static constexpr Duration linger = std::chrono::milliseconds(800);

  void take(const event::Event& event);

  /// At most size.rows - 1 lines, none wider than size.columns - 1; none at all where there is no
  /// room or nothing goes on. Nodes for which there is no row are counted on a line of their own.
  Frame frame(TerminalSize size, WallTime now) const;

private:
  struct Fold; ///< one overload a payload

  /// Evaluation, checks and build, which are about no single node.
  struct RunStage {
    std::string name; ///< empty: none
    std::string text; ///< what it does, as far as it says
    WallTime since{};
  };
  struct Work {
    std::size_t order = 0; ///< of its node's first stage
    std::string profile;
    event::Stage stage = event::Stage::copy;
    WallTime since{};
    int attempt = 1;
    std::optional<event::StageProgress> progress;
    std::optional<WallTime> idle_since;
  };
  using Shown = std::vector<std::pair<const std::string*, const Work*>>;

  Shown shown(WallTime now) const;
  ConsoleLine line_of(const std::string& node, const Work& work, std::size_t columns,
                      WallTime now) const;
  ConsoleLine run_stage_line(WallTime now) const;
  ConsoleLine summary(std::size_t at_work, WallTime now) const;

  Table table_;
  bool dry_ = false; ///< it is a dry run
  WallTime started_{};
  RunStage run_stage_;
  std::size_t builds_open_ = 0;                               ///< profiles
  std::set<std::pair<std::string, std::string>> built_there_; ///< node and profile
  std::map<std::string, Work> working_;                       ///< by node
  std::size_t begun_ = 0, total_ = 0, done_ = 0, bad_ = 0;
  bool cancelled_ = false, ended_ = false;
};

} // namespace belay::reporters
