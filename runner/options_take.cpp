// SPDX-License-Identifier: Apache-2.0
#include "runner/options_take.h"

#include "engine/base/error.h"
#include "engine/plan/target.h"

namespace belay::runner {

std::optional<std::string> take_target(OptionsDraft& draft, const std::string& value) {
  try {
    plan::parse_target(value);
  } catch (const Error& error) {
    return error.message();
  }
  draft.load.overrides.targets.push_back(value);
  return std::nullopt;
}

std::optional<std::string> take_events(OptionsDraft& draft, const std::string& value) {
  if (value.empty()) {
    return "expected a value, found nothing";
  }
  draft.load.overrides.reports.events = value;
  return check_events_target(value);
}

/// deploy-rs says that these two exclude each other, and goes on.
Take mode(plan::Mode wanted, std::string other) {
  return [=](OptionsDraft& draft, const std::string&) -> std::optional<std::string> {
    auto& mode = draft.load.overrides.mode;
    if (mode != plan::Mode::activate && mode != wanted) {
      return "it and " + other + " exclude each other";
    }
    mode = wanted;
    return std::nullopt;
  };
}

std::optional<std::string> take_ssh_opts(OptionsDraft& draft, const std::string& value) {
  draft.load.overrides.settings.ssh_opts = to_words(value);
  return std::nullopt;
}

std::optional<std::string> take_format(OptionsDraft& draft, const std::string& value) {
  if (value == "table") {
    draft.plan.format = PlanFormat::table;
  } else if (value == "json") {
    draft.plan.format = PlanFormat::json;
  } else if (value == "toml") {
    draft.plan.format = PlanFormat::toml;
  } else {
    return "expected table, json or toml, found \"" + value + '"';
  }
  return std::nullopt;
}

std::optional<std::string> take_transport(OptionsDraft& draft, const std::string& value) {
  const auto transport = plan::choice_from<plan::Transport>(value);
  if (!transport) {
    return "expected auto, libssh2 or openssh, found \"" + value + '"';
  }
  draft.load.overrides.settings.transport = transport;
  return std::nullopt;
}

} // namespace belay::runner
