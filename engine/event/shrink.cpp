// SPDX-License-Identifier: Apache-2.0
#include "engine/event/shrink.h"

#include "engine/event/event_text.h"

#include <algorithm>

namespace belay::event {

namespace {

void cut_text(std::string& text, std::size_t bytes) {
  constexpr std::string_view mark = "\xe2\x80\xa6"; // an ellipsis
  if (text.size() <= bytes + mark.size())
    return;
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80)
    --bytes;
  text.resize(bytes);
  text += mark;
}

template <typename Item> void cut_list(std::vector<Item>& list, std::size_t items) {
  if (list.size() > items)
    list.erase(list.begin() + static_cast<std::ptrdiff_t>(items), list.end());
}

void cut_map(std::map<std::string, std::string>& map, std::size_t items) {
  while (map.size() > items)
    map.erase(std::prev(map.end()));
}

/// The lists of each payload that has some.
struct CutLists {
  std::size_t items;

  void operator()(RunStarted& p) const {
    cut_list(p.flakes, items);
    cut_map(p.options, items);
  }
  void operator()(PlanResolved& p) const {
    cut_list(p.nodes, items);
    for (PlanResolved::Node& node : p.nodes)
      cut_list(node.profiles, items);
  }
  void operator()(CheckFinished& p) const { cut_list(p.failed, items); }
  void operator()(BuildFinished& p) const { cut_list(p.outputs, items); }
  void operator()(StageFinished& p) const { cut_map(p.details, items); }
  void operator()(Heartbeat& p) const { cut_list(p.running, items); }
  void operator()(RunFinished& p) const {
    const std::size_t before = p.nodes.size();
    if (before > items)
      std::erase_if(p.nodes, [](const auto& node) { return node.outcome == Outcome::success; });
    cut_list(p.nodes, items);
    p.nodes_omitted += static_cast<int>(before - p.nodes.size());
    cut_map(p.artifacts, items);
  }
  template <typename Other> void operator()(Other&) const {}
};

} // namespace

bool shrink(Event& event, int round) {
  constexpr int rounds = 14;
  if (round >= rounds)
    return false;
  const std::size_t bytes = std::max<std::size_t>(24, (16 * 1024U) >> round);
  const std::size_t name_bytes = std::max<std::size_t>(24, (std::size_t{256 * 1024}) >> round);
  const TextVisitor cut{[&](std::string& name) { cut_text(name, name_bytes); },
                        [&](std::string& text) { cut_text(text, bytes); }};
  visit_text(event.payload, cut);
  visit_text(event.subject, cut);
  cut_text(event.message, bytes);
  cut_text(event.run, name_bytes);
  if (round >= 2)
    std::visit(CutLists{(std::size_t{4096}) >> (round - 2)}, event.payload);
  return true;
}

} // namespace belay::event
