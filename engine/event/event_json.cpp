// SPDX-License-Identifier: Apache-2.0
#include "engine/event/event_json.h"

#include "engine/base/text.h"
#include "engine/event/event_text.h"
#include "engine/event/shrink.h"

#include <nlohmann/json.hpp>

namespace belay::event {

namespace {

// Ordered, so that a person who reads a line finds the envelope first.
using Json = nlohmann::ordered_json;

Json text_or_null(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

template <typename Value> Json value_or_null(const std::optional<Value>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json number_or_null(int number) {
  return number == 0 ? Json(nullptr) : Json(number);
}

double seconds(Duration duration) {
  return static_cast<double>(duration.count()) / 1000.0;
}

Json dictionary(const std::map<std::string, std::string>& map) {
  Json object = Json::object();
  for (const auto& [key, value] : map)
    object[key] = value;
  return object;
}

Json encode_profile(const PlanResolved::Profile& profile) {
  Json names = Json::array();
  for (const Stage stage : profile.stages)
    names.push_back(name_of(stage));
  return {{"name", profile.name},
          {"path", text_or_null(profile.path)},
          {"stages", names},
          {"remote_build", profile.remote_build}};
}

Json encode_node(const PlanResolved::Node& node) {
  Json profiles = Json::array();
  for (const PlanResolved::Profile& profile : node.profiles)
    profiles.push_back(encode_profile(profile));
  return {{"id", node.id}, {"host", node.host}, {"target", node.target}, {"profiles", profiles}};
}

Json encode_counts(const RunFinished::Counts& counts) {
  return {
      {"success", counts.success},        {"failure", counts.failure}, {"error", counts.error},
      {"cancelled", counts.cancelled},    {"skipped", counts.skipped}, {"changed", counts.changed},
      {"rolled_back", counts.rolled_back}};
}

Json encode_trigger(const RunStarted::Trigger& trigger) {
  return {{"kind", trigger.kind},
          {"actor", text_or_null(trigger.actor)},
          {"url", text_or_null(trigger.url)},
          {"ci",
           {{"provider", text_or_null(trigger.provider)},
            {"run_id", text_or_null(trigger.run_id)},
            {"attempt", text_or_null(trigger.attempt)}}}};
}

/// `data` of each type: every field always present, null for none.
struct Encode {
  Json operator()(const RunStarted& p) const {
    return {{"schema", {{"name", schema_name}, {"major", schema_major}, {"minor", schema_minor}}},
            {"tool", {{"name", p.tool_name}, {"version", p.tool_version}}},
            {"nix", {{"version", text_or_null(p.nix_version)}}},
            {"command", p.command},
            {"plan",
             {{"path", text_or_null(p.plan_path)},
              {"flake", p.flakes.empty() ? Json(nullptr) : Json(p.flakes.front())},
              {"flakes", Json(p.flakes)},
              {"rev", text_or_null(p.rev)},
              {"dirty", p.dirty}}},
            {"environment", text_or_null(p.environment)},
            {"trigger", encode_trigger(p.trigger)},
            {"host", p.host},
            {"pid", p.pid},
            {"options", dictionary(p.options)}};
  }
  Json operator()(const PlanResolved& p) const {
    Json nodes = Json::array();
    for (const PlanResolved::Node& node : p.nodes)
      nodes.push_back(encode_node(node));
    return {{"nodes", nodes},
            {"parallel", p.parallel},
            {"part", value_or_null(p.part)},
            {"last", p.last}};
  }
  Json operator()(const DiagnosticFound& p) const {
    return {{"severity", name_of(p.severity)},    {"code", p.code},
            {"file", text_or_null(p.file)},       {"line", number_or_null(p.line)},
            {"column", number_or_null(p.column)}, {"hint", text_or_null(p.hint)}};
  }
  Json operator()(const EvaluateFinished& p) const {
    return {{"outcome", name_of(p.outcome)},
            {"duration_s", seconds(p.duration)},
            {"error", text_or_null(p.error)}};
  }
  Json operator()(const BuildFinished& p) const {
    return {{"drv", p.derivation},
            {"outputs", Json(p.outputs)},
            {"outcome", name_of(p.outcome)},
            {"cached", p.cached},
            {"duration_s", seconds(p.duration)},
            {"reason", text_or_null(p.reason)},
            {"built_on", text_or_null(p.built_on)}};
  }
  Json operator()(const NodeQueued&) const { return Json::object(); }
  Json operator()(const NodeStarted& p) const { return {{"host", p.host}}; }
  Json operator()(const StageStarted&) const { return Json::object(); }
  Json operator()(const StageProgress& p) const {
    return {{"bytes", p.bytes},
            {"bytes_expected", value_or_null(p.bytes_expected)},
            {"pct", value_or_null(percent_of(p))}};
  }
  Json operator()(const StageFinished& p) const {
    return {{"outcome", name_of(p.outcome)},
            {"reason", text_or_null(p.reason)},
            {"duration_s", seconds(p.duration)},
            {"changed", value_or_null(p.changed)},
            {"attempts", p.attempts},
            {"exit_status", value_or_null(p.exit_status)},
            {"bytes", value_or_null(p.bytes)},
            {"generation_before", value_or_null(p.generation_before)},
            {"generation_after", value_or_null(p.generation_after)},
            {"details", dictionary(p.details)}};
  }
  Json operator()(const StageRetrying& p) const {
    return {{"attempt", p.attempt},
            {"max", p.max},
            {"delay_s", seconds(p.delay)},
            {"reason", text_or_null(p.reason)}};
  }
  Json operator()(const NodeRolledBack& p) const {
    return {{"from", value_or_null(p.from)},
            {"to", value_or_null(p.to)},
            {"trigger", name_of(p.trigger)},
            {"verified", p.verified}};
  }
  Json operator()(const NodeFinished& p) const {
    return {{"outcome", name_of(p.outcome)},
            {"reason", text_or_null(p.reason)},
            {"changed", p.changed},
            {"rollback", name_of(p.rollback)},
            {"generation_after", value_or_null(p.generation_after)},
            {"duration_s", seconds(p.duration)},
            {"decides_by", text_or_null(p.decides_by)}};
  }
  Json operator()(const LogLine& p) const {
    return {
        {"stream", p.stream}, {"text", p.text}, {"part", value_or_null(p.part)}, {"last", p.last}};
  }
  Json operator()(const Heartbeat& p) const { return {{"running", Json(p.running)}}; }
  Json operator()(const CancelRequested& p) const {
    return {{"source", p.source}, {"signal", text_or_null(p.signal)}, {"policy", p.policy}};
  }
  Json operator()(const WebhookDelivered& p) const {
    return {{"endpoint", p.endpoint},
            {"id", p.id},
            {"attempts", p.attempts},
            {"status", value_or_null(p.status)}};
  }
  Json operator()(const WebhookFailed& p) const {
    return {{"endpoint", p.endpoint},
            {"id", p.id},
            {"attempts", p.attempts},
            {"status", value_or_null(p.status)},
            {"error", p.error}};
  }
  Json operator()(const RunFinished& p) const {
    Json nodes = Json::array();
    for (const RunFinished::Node& node : p.nodes)
      nodes.push_back({{"id", node.id},
                       {"outcome", name_of(node.outcome)},
                       {"reason", text_or_null(node.reason)}});
    return {{"outcome", name_of(p.outcome)},
            {"exit_code", p.exit_code},
            {"reason", p.reason},
            {"counts", encode_counts(p.counts)},
            {"duration_s", seconds(p.duration)},
            {"artifacts", dictionary(p.artifacts)},
            {"nodes", nodes},
            {"nodes_omitted", p.nodes_omitted}};
  }
};

void encode_subject(Json& line, const Subject& subject) {
  if (!subject.node.empty())
    line["node"] = subject.node;
  if (!subject.profile.empty())
    line["profile"] = subject.profile;
  if (subject.stage)
    line["stage"] = name_of(*subject.stage);
  if (subject.attempt != 0)
    line["attempt"] = subject.attempt;
}

std::string encode(const Event& event) {
  Json line{
      {"v", schema_major},   {"seq", event.sequence},          {"time", format_time(event.time)},
      {"run", event.run},    {"type", type_of(event.payload)}, {"level", name_of(event.level)},
      {"msg", event.message}};
  encode_subject(line, event.subject);
  line["data"] = std::visit(Encode{}, event.payload);
  return line.dump(-1, ' ', false, Json::error_handler_t::replace);
}

} // namespace

std::string to_json_line(const Event& event, std::size_t limit) {
  Event clean = event;
  visit_text(clean.payload, cleaner());
  visit_text(clean.subject, cleaner());
  clean.message = one_line(clean.message);
  if (clean.message.empty())
    clean.message = describe(clean.payload, clean.subject);
  clean.run = one_line(clean.run);
  std::string line = encode(clean);
  for (int round = 0; line.size() + 1 > limit && shrink(clean, round); ++round)
    line = encode(clean);
  return line;
}

} // namespace belay::event
