// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/event/event_json.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

// Reading is tolerant where the contract says so: a newer belay may have added types, fields and
// enum values. It never turns something that it does not know into a success.

namespace belay::event {

namespace {

using Json = nlohmann::json;

/// A JSON object whose fields may be missing, null or of another type.
class Record {
public:
  explicit Record(const Json& json) : json_(json.is_object() ? json : none()) {}

  const Json& field(const char* name) const {
    const auto found = json_.find(name);
    return found == json_.end() ? none() : *found;
  }
  Record record(const char* name) const { return Record(field(name)); }

  std::string text(const char* name) const {
    const Json& value = field(name);
    return value.is_string() ? value.get<std::string>() : "";
  }
  bool boolean(const char* name, bool otherwise = false) const {
    const Json& value = field(name);
    return value.is_boolean() ? value.get<bool>() : otherwise;
  }
  template <typename Number> std::optional<Number> number(const char* name) const {
    const Json& value = field(name);
    if (!value.is_number())
      return std::nullopt;
    const double wide = value.get<double>();
    constexpr auto lowest = static_cast<double>(std::numeric_limits<Number>::lowest());
    constexpr auto highest = static_cast<double>(std::numeric_limits<Number>::max());
    if (!(wide >= lowest && wide <= highest))
      return std::nullopt;
    // get<> of a double at the very top of a 64-bit type would overflow: integers take their own
    // way.
    return value.is_number_integer() ? std::optional(value.get<Number>())
           : wide < highest          ? std::optional(static_cast<Number>(wide))
                                     : std::nullopt;
  }
  int integer(const char* name, int otherwise = 0) const {
    return number<int>(name).value_or(otherwise);
  }
  Duration duration(const char* name) const {
    const double value = number<double>(name).value_or(0);
    constexpr double longest = 1e9; // 31 years
    return Duration(std::llround(std::clamp(value, -longest, longest) * 1000));
  }
  std::vector<std::string> texts(const char* name) const {
    std::vector<std::string> list;
    for (const Json& item : field(name))
      if (item.is_string())
        list.push_back(item.get<std::string>());
    return list;
  }
  std::map<std::string, std::string> dictionary(const char* name) const {
    std::map<std::string, std::string> map;
    const Json& object = field(name);
    if (object.is_object())
      for (const auto& [key, value] : object.items())
        if (value.is_string())
          map.emplace(key, value.get<std::string>());
    return map;
  }
  Outcome outcome() const { return outcome_from(text("outcome")).value_or(Outcome::error); }

private:
  static const Json& none() {
    static const Json null;
    return null;
  }
  const Json& json_;
};

RunStarted decode_run_started(const Record& data) {
  RunStarted p;
  p.tool_name = data.record("tool").text("name");
  p.tool_version = data.record("tool").text("version");
  p.nix_version = data.record("nix").text("version");
  p.command = data.text("command");
  const Record plan = data.record("plan");
  p.plan_path = plan.text("path");
  p.flakes = plan.texts("flakes");
  if (p.flakes.empty() && !plan.text("flake").empty())
    p.flakes.push_back(plan.text("flake"));
  p.rev = plan.text("rev");
  p.dirty = plan.boolean("dirty");
  p.environment = data.text("environment");
  const Record trigger = data.record("trigger"), ci = trigger.record("ci");
  p.trigger = {trigger.text("kind"), trigger.text("actor"), trigger.text("url"),
               ci.text("provider"),  ci.text("run_id"),     ci.text("attempt")};
  p.host = data.text("host");
  p.pid = data.number<std::int64_t>("pid").value_or(0);
  p.options = data.dictionary("options");
  return p;
}

PlanResolved::Profile decode_profile(const Record& record) {
  PlanResolved::Profile profile;
  profile.name = record.text("name");
  profile.path = record.text("path");
  for (const std::string& name : record.texts("stages"))
    if (const auto stage = stage_from(name))
      profile.stages.push_back(*stage);
  profile.remote_build = record.boolean("remote_build");
  return profile;
}

PlanResolved decode_plan_resolved(const Record& data) {
  PlanResolved p;
  for (const Json& item : data.field("nodes")) {
    const Record record(item);
    PlanResolved::Node node{record.text("id"), record.text("host"), record.text("target"), {}};
    for (const Json& profile : record.field("profiles"))
      node.profiles.push_back(decode_profile(Record(profile)));
    p.nodes.push_back(std::move(node));
  }
  p.parallel = data.integer("parallel");
  p.mode = mode_from(data.text("mode")).value_or(Mode::activate); // older streams have none
  p.part = data.number<int>("part");
  p.last = data.boolean("last", true);
  return p;
}

DiagnosticFound decode_diagnostic(const Record& data) {
  using Severity = DiagnosticFound::Severity;
  return {data.text("severity") == "warning" ? Severity::warning : Severity::error,
          data.text("code"),
          data.text("file"),
          data.integer("line"),
          data.integer("column"),
          data.text("hint")};
}

StageFinished decode_stage_finished(const Record& data) {
  StageFinished p;
  p.outcome = data.outcome();
  p.reason = data.text("reason");
  p.duration = data.duration("duration_s");
  if (data.field("changed").is_boolean())
    p.changed = data.boolean("changed");
  p.attempts = data.integer("attempts", 1);
  p.exit_status = data.number<int>("exit_status");
  p.bytes = data.number<std::uint64_t>("bytes");
  p.generation_before = data.number<int>("generation_before");
  p.generation_after = data.number<int>("generation_after");
  p.details = data.dictionary("details");
  return p;
}

Rollback decode_rollback(const std::string& name) {
  return name.empty() ? Rollback::none : rollback_from(name).value_or(Rollback::unknown);
}

NodeFinished decode_node_finished(const Record& data) {
  return {data.outcome(),
          data.text("reason"),
          data.boolean("changed"),
          decode_rollback(data.text("rollback")),
          data.number<int>("generation_after"),
          data.duration("duration_s"),
          data.text("decides_by")};
}

RunFinished::Counts decode_counts(const Record& counts) {
  return {counts.integer("success"),    counts.integer("failure"), counts.integer("error"),
          counts.integer("cancelled"),  counts.integer("skipped"), counts.integer("changed"),
          counts.integer("rolled_back")};
}

RunFinished decode_run_finished(const Record& data) {
  RunFinished p;
  p.outcome = data.outcome();
  p.exit_code = data.integer("exit_code", 1);
  p.reason = data.text("reason");
  p.counts = decode_counts(data.record("counts"));
  p.duration = data.duration("duration_s");
  p.artifacts = data.dictionary("artifacts");
  for (const Json& item : data.field("nodes")) {
    const Record node(item);
    p.nodes.push_back({node.text("id"), node.outcome(), node.text("reason")});
  }
  p.nodes_omitted = data.integer("nodes_omitted");
  return p;
}

/// One entry a type, in the order of Payload.
std::optional<Payload> decode_payload(std::string_view type, const Record& data) {
  if (type == "run.started")
    return decode_run_started(data);
  if (type == "plan.resolved")
    return decode_plan_resolved(data);
  if (type == "diagnostic")
    return decode_diagnostic(data);
  if (type == "evaluate.finished")
    return EvaluateFinished{data.outcome(), data.duration("duration_s"), data.text("error")};
  if (type == "check.finished")
    return CheckFinished{data.text("flake"), data.outcome(), data.duration("duration_s"),
                         data.texts("failed"), data.text("error")};
  if (type == "build.finished")
    return BuildFinished{data.text("drv"),       data.texts("outputs"),       data.outcome(),
                         data.boolean("cached"), data.duration("duration_s"), data.text("reason"),
                         data.text("built_on")};
  if (type == "node.queued")
    return NodeQueued{};
  if (type == "node.started")
    return NodeStarted{data.text("host")};
  if (type == "stage.started")
    return StageStarted{};
  if (type == "stage.progress")
    return StageProgress{data.number<std::uint64_t>("bytes").value_or(0),
                         data.number<std::uint64_t>("bytes_expected")};
  if (type == "stage.finished")
    return decode_stage_finished(data);
  if (type == "stage.retrying")
    return StageRetrying{data.integer("attempt"), data.integer("max"), data.duration("delay_s"),
                         data.text("reason")};
  if (type == "lock.waiting")
    return LockWaiting{data.text("holder_run"), data.text("holder_url"), data.text("since"),
                       data.boolean("attended", true), data.duration("longest_s")};
  if (type == "earlier.resolved")
    return EarlierResolved{data.text("earlier_run"), data.text("transaction"), data.text("state"),
                           data.text("reason")};
  if (type == "node.rolled_back")
    return NodeRolledBack{
        data.number<int>("from"), data.number<int>("to"),
        rollback_trigger_from(data.text("trigger")).value_or(RollbackTrigger::activation),
        data.boolean("verified")};
  if (type == "node.finished")
    return decode_node_finished(data);
  if (type == "log")
    return LogLine{data.text("stream"), data.text("text"), data.number<int>("part"),
                   data.boolean("last", true)};
  if (type == "heartbeat")
    return Heartbeat{data.texts("running")};
  if (type == "cancel.requested")
    return CancelRequested{data.text("source"), data.text("signal"), data.text("policy")};
  if (type == "webhook.delivered")
    return WebhookDelivered{data.text("endpoint"), data.text("id"), data.integer("attempts", 1),
                            data.number<int>("status")};
  if (type == "webhook.failed")
    return WebhookFailed{data.text("endpoint"), data.text("id"), data.integer("attempts", 1),
                         data.number<int>("status"), data.text("error")};
  if (type == "run.finished")
    return decode_run_finished(data);
  return std::nullopt;
}

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorKind::protocol, why);
}

Json parse(std::string_view line) {
  Json json = Json::parse(line, nullptr, false);
  if (json.is_discarded())
    refuse("this is not JSON");
  if (!json.is_object())
    refuse("this is not a JSON object");
  return json;
}

void require_version(const Record& line) {
  const auto version = line.number<int>("v");
  if (!version)
    refuse("this is not an event: it has no version \"v\"");
  if (*version != schema_major)
    refuse("this event has version " + std::to_string(*version) + ", this belay reads version " +
           std::to_string(schema_major));
}

Subject decode_subject(const Record& line) {
  return {line.text("node"), line.text("profile"), stage_from(line.text("stage")),
          line.integer("attempt")};
}

/// A stage.* event of a stage that is not ours cannot be placed; node.finished tells its effect.
bool is_of_unknown_stage(const Record& line, const Event& event) {
  return !event.subject.stage && line.text("type").starts_with("stage.");
}

} // namespace

std::optional<Event> from_json_line(std::string_view text) {
  const Json json = parse(text);
  const Record line(json);
  require_version(line);
  Event event;
  const auto sequence = line.number<std::uint64_t>("seq");
  const auto time = parse_time(line.text("time"));
  if (!sequence || !time || line.text("type").empty() || !line.field("data").is_object())
    refuse("this is not an event: seq, time, type or data is missing or of the wrong form");
  event.sequence = *sequence;
  event.time = *time;
  event.run = line.text("run");
  event.level = level_from(line.text("level")).value_or(Level::error);
  event.message = line.text("msg");
  event.subject = decode_subject(line);
  auto payload = decode_payload(line.text("type"), line.record("data"));
  if (!payload || is_of_unknown_stage(line, event))
    return std::nullopt;
  event.payload = std::move(*payload);
  return event;
}

} // namespace belay::event
