// SPDX-License-Identifier: Apache-2.0
#include "engine/event/line_split.h"

#include "engine/base/text.h"
#include "engine/event/event_json.h"

#include <algorithm>

namespace belay::event {

namespace {

/// Bytes of text in one log event. A character can take six bytes in JSON ("\u0001"); clean text
/// holds only quotes, backslashes, TAB and LF that double, so half the line less the envelope is
/// always enough.
constexpr std::size_t log_part = 24 * 1024;

/// Where to cut `text` so that the first piece has at most `bytes`: after a line's end in its last
/// quarter, else before a code point.
std::size_t cut(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes)
    return text.size();
  const std::size_t line = text.rfind('\n', bytes - 1);
  if (line != std::string_view::npos && line + 1 > bytes - bytes / 4)
    return line + 1;
  std::size_t at = bytes;
  while (at > bytes - 4 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80)
    --at;
  return at;
}

std::vector<std::string> pieces_of(std::string_view text) {
  std::vector<std::string> pieces;
  while (text.size() > log_part) {
    const std::size_t at = cut(text, log_part);
    pieces.emplace_back(text.substr(0, at));
    text.remove_prefix(at);
  }
  pieces.emplace_back(text);
  return pieces;
}

std::vector<Draft> split_log_draft(const Draft& draft, const LogLine& whole) {
  const std::vector<std::string> pieces = pieces_of(whole.text);
  std::vector<Draft> parts;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    LogLine part{whole.stream, pieces[i], std::nullopt, i + 1 == pieces.size()};
    if (pieces.size() > 1)
      part.part = static_cast<int>(i) + 1;
    parts.push_back({std::move(part), draft.subject, draft.level, ""});
  }
  return parts;
}

/// About what the node takes in JSON.
std::size_t weight(const PlanResolved::Node& node) {
  std::size_t bytes = 64 + 2 * (node.id.size() + node.host.size() + node.target.size());
  for (const PlanResolved::Profile& profile : node.profiles)
    bytes += 64 + 2 * (profile.name.size() + profile.path.size()) + 12 * profile.stages.size();
  return bytes;
}

std::vector<Draft> split_plan_draft(const Draft& draft, const PlanResolved& whole) {
  constexpr std::size_t budget = line_limit - 4 * 1024;
  std::vector<PlanResolved> parts(1);
  std::size_t bytes = 0;
  for (const PlanResolved::Node& node : whole.nodes) {
    bytes += weight(node);
    if (bytes > budget && !parts.back().nodes.empty()) {
      parts.emplace_back();
      bytes = weight(node);
    }
    parts.back().nodes.push_back(node);
  }
  if (parts.size() == 1)
    return {draft};

  std::vector<Draft> drafts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    parts[i].parallel = whole.parallel;
    parts[i].mode = whole.mode;
    parts[i].part = static_cast<int>(i) + 1;
    parts[i].last = i + 1 == parts.size();
    drafts.push_back({std::move(parts[i]), draft.subject, draft.level, ""});
  }
  return drafts;
}

} // namespace

bool is_whole(const Draft& draft) {
  const auto* log = std::get_if<LogLine>(&draft.payload);
  return log != nullptr ? log->text.size() <= log_part
                        : !std::holds_alternative<PlanResolved>(draft.payload);
}

std::vector<Draft> split_draft(Draft draft) {
  if (const auto* log = std::get_if<LogLine>(&draft.payload); log && log->text.size() > log_part)
    return split_log_draft(draft, *log);
  if (const auto* plan = std::get_if<PlanResolved>(&draft.payload))
    return split_plan_draft(draft, *plan);
  std::vector<Draft> whole;
  whole.push_back(std::move(draft));
  return whole;
}

std::vector<Draft> split_log(std::string stream, std::string_view text, const Subject& subject,
                             Level level) {
  return split_draft(
      {LogLine{std::move(stream), clean_text(text), std::nullopt, true}, subject, level, ""});
}

} // namespace belay::event
