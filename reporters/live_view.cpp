// SPDX-License-Identifier: Apache-2.0
#include "reporters/live_view.h"

#include "engine/base/text.h"
#include "engine/event/streams.h"
#include "reporters/display_width.h"

#include <algorithm>
#include <array>
#include <span>

namespace belay::reporters {

namespace {

using event::Outcome;
using event::Stage;

// A smaller terminal has no room for what moves beside what stays.
constexpr std::size_t fewest_columns = 16;
constexpr std::size_t fewest_rows = 4;
constexpr std::size_t fewest_name_columns = 5;
/// Rows that no node gets: one for what scrolls above, one for the cursor after the last frame, one
/// for "and N more", one for the summary.
constexpr std::size_t other_rows = 4;

std::string_view verb_of(Stage stage, bool dry) {
  switch (stage) {
  case Stage::evaluate:
    return "evaluating";
  case Stage::check:
    return "checking";
  case Stage::build:
    return "building";
  case Stage::sign:
    return "signing";
  case Stage::copy:
    return "copying";
  case Stage::lock:
    return "locking";
  case Stage::activate:
    return dry ? "trying" : "activating";
  case Stage::confirm:
    return "confirming";
  case Stage::verify:
    return "verifying";
  case Stage::rollback:
    return "rolling back";
  }
  return "";
}

/// Whole seconds: a tenth that changes ten times a second is noise.
std::string elapsed(WallTime since, WallTime now) {
  const auto seconds =
      std::chrono::floor<std::chrono::seconds>(std::max(now - since, Duration::zero())).count();
  return seconds < 60 ? std::to_string(seconds) + " s"
                      : format_duration(std::chrono::seconds(seconds));
}

std::string bytes_of(const std::optional<event::StageProgress>& progress) {
  return progress ? format_bytes(progress->bytes) : "";
}

/// "of 40.1 MiB  31 %"
std::string expected_of(const std::optional<event::StageProgress>& progress) {
  if (!progress || !progress->bytes_expected)
    return "";
  const int percent = event::percent_of(*progress).value_or(0);
  return "of " + format_bytes(*progress->bytes_expected) + (percent < 10 ? "   " : "  ") +
         std::to_string(percent) + " %";
}

/// "47 %", or how much, where it is not known of how much.
std::string progress_of(const std::optional<event::StageProgress>& progress) {
  if (!progress)
    return "";
  const auto percent = event::percent_of(*progress);
  return " " + (percent ? std::to_string(*percent) + " %" : format_bytes(progress->bytes));
}

/// Where the table is too wide: the name gives way, then what stands last in `doing`.
ConsoleLine narrow_line(const std::string& name, std::span<const std::string> doing,
                        std::size_t columns) {
  for (const std::string& text : doing) {
    const std::size_t rest = columns_of(text) + 3;
    if (rest + std::min(columns_of(name), fewest_name_columns) <= columns)
      return {" " + cut_to(name, columns - rest) + "  ", text, Tone::none};
  }
  return {" " + cut_to(name, columns - 1), "", Tone::none};
}

ConsoleLine cut(ConsoleLine line, std::size_t columns) {
  const std::size_t used = columns_of(line.start);
  if (used + columns_of(line.rest) > columns) {
    line.rest = used < columns ? cut_to(line.rest, columns - used) : "";
    line.start = cut_to(line.start, columns);
  }
  return line;
}

} // namespace

/// What each payload changes of what goes on now.
struct LiveView::Fold {
  LiveView& view;
  const event::Event& event;

  void operator()(const event::RunStarted&) const { view.started_ = event.time; }
  void operator()(const event::PlanResolved& p) const {
    view.total_ += p.nodes.size();
    view.dry_ = p.mode == event::Mode::dry_activate;
    for (const auto& node : p.nodes)
      for (const auto& profile : node.profiles) {
        view.table_.widen(without_hidden(node.id), without_hidden(profile.name));
        if (profile.remote_build)
          view.built_there_.emplace(node.id, profile.name);
      }
  }
  void operator()(const event::DiagnosticFound&) const {}
  void operator()(const event::EvaluateFinished&) const { view.run_stage_ = {}; }
  void operator()(const event::CheckFinished&) const { view.run_stage_ = {}; }
  void operator()(const event::BuildFinished&) const {}
  void operator()(const event::NodeQueued&) const {}
  void operator()(const event::NodeStarted&) const {}
  void operator()(const event::StageStarted&) const {
    if (is_build_here() && view.builds_open_++ > 0)
      return;
    if (is_build_here() || event.subject.node.empty())
      view.run_stage_ = {std::string(event::name_of(*event.subject.stage)), "", event.time};
    else if (event.subject.stage)
      begin(view.working_[event.subject.node]);
  }
  void begin(Work& work) const {
    const bool afresh =
        work.order == 0 || (work.idle_since && event.time - *work.idle_since >= linger);
    const std::size_t order = afresh ? ++view.begun_ : work.order;
    work = {order, event.subject.profile, *event.subject.stage, event.time, 1, {}, {}};
  }
  void operator()(const event::StageProgress& p) const {
    if (Work* work = current())
      work->progress = p;
  }
  void operator()(const event::StageFinished&) const {
    if (is_build_here() && view.builds_open_ > 0 && --view.builds_open_ == 0)
      view.run_stage_ = {};
    if (Work* work = current())
      work->idle_since = event.time;
  }
  void operator()(const event::StageRetrying& p) const {
    if (Work* work = current())
      work->attempt = p.attempt + 1;
  }
  void operator()(const event::LockWaiting&) const {}
  void operator()(const event::EarlierResolved&) const {}
  void operator()(const event::NodeRolledBack&) const {}
  void operator()(const event::NodeFinished& p) const {
    view.working_.erase(event.subject.node);
    ++view.done_;
    view.bad_ += p.outcome == Outcome::failure || p.outcome == Outcome::error ? 1 : 0;
  }
  void operator()(const event::LogLine& p) const {
    if (event.subject.stage == Stage::check && p.stream != event::streams::progress &&
        !view.run_stage_.name.empty())
      view.run_stage_.text = without_hidden(one_line(p.text));
  }
  void operator()(const event::Heartbeat&) const {}
  void operator()(const event::CancelRequested&) const { view.cancelled_ = true; }
  void operator()(const event::WebhookDelivered&) const {}
  void operator()(const event::WebhookFailed&) const {}
  void operator()(const event::RunFinished&) const { view.ended_ = true; }

  /// The runner's builds are one work for all nodes; what a target builds is that node's own.
  bool is_build_here() const {
    return event.subject.stage == Stage::build &&
           !view.built_there_.contains({event.subject.node, event.subject.profile});
  }

  /// What the event's node does now, if the event is about that.
  Work* current() const {
    const auto found = view.working_.find(event.subject.node);
    const bool same = found != view.working_.end() && event.subject.stage == found->second.stage &&
                      event.subject.profile == found->second.profile;
    return same ? &found->second : nullptr;
  }
};

void LiveView::take(const event::Event& event) {
  std::visit(Fold{*this, event}, event.payload);
}

LiveView::Shown LiveView::shown(WallTime now) const {
  Shown nodes;
  for (const auto& [node, work] : working_)
    if (!work.idle_since || now - *work.idle_since < linger)
      nodes.emplace_back(&node, &work);
  std::sort(nodes.begin(), nodes.end(), [](const auto& one, const auto& other) {
    return one.second->order < other.second->order;
  });
  return nodes;
}

Frame LiveView::frame(TerminalSize size, WallTime now) const {
  if (ended_ || size.columns < fewest_columns || size.rows < fewest_rows)
    return {};
  Frame lines;
  if (!run_stage_.name.empty())
    lines.push_back(run_stage_line(now));
  const Shown nodes = shown(now);
  const std::size_t room = size.rows - other_rows;
  for (std::size_t i = 0; i < std::min(nodes.size(), room); ++i)
    lines.push_back(line_of(*nodes[i].first, *nodes[i].second, size.columns - 1, now));
  if (nodes.size() > room)
    lines.push_back(
        {"", " \xe2\x80\xa6 and " + std::to_string(nodes.size() - room) + " more", Tone::quiet});
  if (total_ > 1 && done_ < total_)
    lines.push_back(summary(nodes.size(), now));
  for (ConsoleLine& line : lines)
    line = cut(std::move(line), size.columns - 1);
  return lines;
}

ConsoleLine LiveView::line_of(const std::string& node, const Work& work, std::size_t columns,
                              WallTime now) const {
  const std::string name = without_hidden(one_line(node));
  const std::string profile = without_hidden(one_line(work.profile));
  std::string doing(verb_of(work.stage, dry_));
  if (work.attempt > 1)
    doing += ", attempt " + std::to_string(work.attempt);
  const std::string time = elapsed(work.since, now);
  const ConsoleLine line = table_.format(
      {name, profile, bytes_of(work.progress), expected_of(work.progress), time, doing, ""});
  if (columns_of(line.text()) <= columns)
    return line;
  const std::array shorter = {doing + progress_of(work.progress) + "  " + time, doing + "  " + time,
                              std::string(verb_of(work.stage, dry_))};
  return narrow_line(profile.empty() ? name : name + "/" + profile, shorter, columns);
}

ConsoleLine LiveView::run_stage_line(WallTime now) const {
  constexpr std::size_t widest = 28; // the time shall not jump
  const std::string text = builds_open_ == 0 ? cut_to(run_stage_.text, widest)
                                             : std::to_string(builds_open_) +
                                                   (builds_open_ == 1 ? " profile" : " profiles");
  return table_.format_wide(run_stage_.name, text, elapsed(run_stage_.since, now));
}

ConsoleLine LiveView::summary(std::size_t at_work, WallTime now) const {
  std::string text = std::to_string(done_) + " of " + std::to_string(total_) + " done";
  if (bad_ > 0)
    text += ", " + std::to_string(bad_) + " failed";
  if (at_work > 0)
    text += ", " + std::to_string(at_work) + " at work";
  return {
      "",
      table_.format_wide(cancelled_ ? "stopping" : "nodes", text, elapsed(started_, now)).text(),
      Tone::quiet};
}

} // namespace belay::reporters
