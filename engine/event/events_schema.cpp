// SPDX-License-Identifier: Apache-2.0
#include "engine/event/event_json.h"

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <utility>

// The published description of a line, as JSON Schema draft-07, the version that editors and
// validators support best. Unknown fields and types are allowed, as readers must allow them.

namespace belay::event {

namespace {

using Json = nlohmann::ordered_json;
using Fields = std::initializer_list<std::pair<const char*, Json>>;

Json of_type(const char* type) {
  return {{"type", type}};
}
Json nullable(const char* type) {
  return {{"type", Json::array({type, "null"})}};
}
Json list_of(const Json& items) {
  return {{"type", "array"}, {"items", items}};
}
Json dictionary() {
  return {{"type", "object"}, {"additionalProperties", of_type("string")}};
}

/// A record: each field always present.
Json record(Fields fields) {
  Json properties = Json::object(), required = Json::array();
  for (const auto& [name, schema] : fields) {
    properties[name] = schema;
    required.push_back(name);
  }
  return {{"type", "object"}, {"properties", properties}, {"required", required}};
}

/// Closed: no other value will come within this major version.
template <typename Value> Json closed(std::initializer_list<Value> values) {
  Json names = Json::array();
  for (const Value value : values)
    names.push_back(name_of(value));
  return {{"enum", names}};
}

/// Open: further values may come in a minor version.
Json open_text(const char* description) {
  return {{"type", "string"}, {"description", description}};
}

Json outcome() {
  return closed(
      {Outcome::success, Outcome::failure, Outcome::error, Outcome::cancelled, Outcome::skipped});
}

Json stage() {
  return open_text(
      "open; now: evaluate check build sign copy lock activate confirm verify rollback");
}

Json run_started() {
  return record({{"schema", record({{"name", Json{{"const", schema_name}}},
                                    {"major", Json{{"const", schema_major}}},
                                    {"minor", of_type("integer")}})},
                 {"tool", record({{"name", of_type("string")}, {"version", of_type("string")}})},
                 {"nix", record({{"version", nullable("string")}})},
                 {"command", of_type("string")},
                 {"plan", record({{"path", nullable("string")},
                                  {"flake", nullable("string")},
                                  {"flakes", list_of(of_type("string"))},
                                  {"rev", nullable("string")},
                                  {"dirty", of_type("boolean")}})},
                 {"environment", nullable("string")},
                 {"trigger", record({{"kind", of_type("string")},
                                     {"actor", nullable("string")},
                                     {"url", nullable("string")},
                                     {"ci", record({{"provider", nullable("string")},
                                                    {"run_id", nullable("string")},
                                                    {"attempt", nullable("string")}})}})},
                 {"host", of_type("string")},
                 {"pid", of_type("integer")},
                 {"options", dictionary()}});
}

Json plan_resolved() {
  const Json profile = record({{"name", of_type("string")},
                               {"path", nullable("string")},
                               {"stages", list_of(stage())},
                               {"remote_build", of_type("boolean")}});
  const Json node = record({{"id", of_type("string")},
                            {"host", of_type("string")},
                            {"target", of_type("string")},
                            {"profiles", list_of(profile)}});
  return record({{"nodes", list_of(node)},
                 {"parallel", of_type("integer")},
                 {"mode", of_type("string")},
                 {"part", nullable("integer")},
                 {"last", of_type("boolean")}});
}

Json stage_finished() {
  return record({{"outcome", outcome()},
                 {"reason", nullable("string")},
                 {"duration_s", of_type("number")},
                 {"changed", nullable("boolean")},
                 {"attempts", of_type("integer")},
                 {"exit_status", nullable("integer")},
                 {"bytes", nullable("integer")},
                 {"generation_before", nullable("integer")},
                 {"generation_after", nullable("integer")},
                 {"details", dictionary()}});
}

Json node_finished() {
  return record({{"outcome", outcome()},
                 {"reason", nullable("string")},
                 {"changed", of_type("boolean")},
                 {"rollback", closed({Rollback::none, Rollback::succeeded, Rollback::failed,
                                      Rollback::unknown})},
                 {"generation_after", nullable("integer")},
                 {"duration_s", of_type("number")},
                 {"decides_by", nullable("string")}});
}

Json webhook(bool with_error) {
  Json schema = record({{"endpoint", of_type("string")},
                        {"id", of_type("string")},
                        {"attempts", of_type("integer")},
                        {"status", nullable("integer")}});
  if (with_error) {
    schema["properties"]["error"] = of_type("string");
    schema["required"].push_back("error");
  }
  return schema;
}

Json run_finished() {
  const Json counts = record({{"success", of_type("integer")},
                              {"failure", of_type("integer")},
                              {"error", of_type("integer")},
                              {"cancelled", of_type("integer")},
                              {"skipped", of_type("integer")},
                              {"changed", of_type("integer")},
                              {"rolled_back", of_type("integer")}});
  const Json node =
      record({{"id", of_type("string")}, {"outcome", outcome()}, {"reason", nullable("string")}});
  return record({{"outcome", outcome()},
                 {"exit_code", of_type("integer")},
                 {"reason", of_type("string")},
                 {"counts", counts},
                 {"duration_s", of_type("number")},
                 {"artifacts", dictionary()},
                 {"nodes", list_of(node)},
                 {"nodes_omitted", of_type("integer")}});
}

/// Type name and the schema of its `data`, in the order of Payload.
std::vector<std::pair<const char*, Json>> payloads() {
  return {
      {"run.started", run_started()},
      {"plan.resolved", plan_resolved()},
      {"diagnostic", record({{"severity", closed({DiagnosticFound::Severity::error,
                                                  DiagnosticFound::Severity::warning})},
                             {"code", of_type("string")},
                             {"file", nullable("string")},
                             {"line", nullable("integer")},
                             {"column", nullable("integer")},
                             {"hint", nullable("string")}})},
      {"evaluate.finished", record({{"outcome", outcome()},
                                    {"duration_s", of_type("number")},
                                    {"error", nullable("string")}})},
      {"check.finished", record({{"flake", of_type("string")},
                                 {"outcome", outcome()},
                                 {"duration_s", of_type("number")},
                                 {"failed", list_of(of_type("string"))},
                                 {"error", nullable("string")}})},
      {"build.finished", record({{"drv", of_type("string")},
                                 {"outputs", list_of(of_type("string"))},
                                 {"outcome", outcome()},
                                 {"cached", of_type("boolean")},
                                 {"duration_s", of_type("number")},
                                 {"reason", nullable("string")},
                                 {"built_on", nullable("string")}})},
      {"node.queued", record({})},
      {"node.started", record({{"host", of_type("string")}})},
      {"stage.started", record({})},
      {"stage.progress", record({{"bytes", of_type("integer")},
                                 {"bytes_expected", nullable("integer")},
                                 {"pct", nullable("integer")}})},
      {"stage.finished", stage_finished()},
      {"stage.retrying", record({{"attempt", of_type("integer")},
                                 {"max", of_type("integer")},
                                 {"delay_s", of_type("number")},
                                 {"reason", nullable("string")}})},
      {"lock.waiting", record({{"holder_run", nullable("string")},
                               {"holder_url", nullable("string")},
                               {"since", nullable("string")},
                               {"attended", of_type("boolean")},
                               {"longest_s", of_type("number")}})},
      {"earlier.resolved",
       record({{"earlier_run", of_type("string")},
               {"transaction", of_type("string")},
               {"state", open_text("open; now: confirmed failed rolled-back rollback-failed "
                                   "superseded")},
               {"reason", nullable("string")}})},
      {"node.rolled_back",
       record({{"from", nullable("integer")},
               {"to", nullable("integer")},
               {"trigger",
                open_text("open; now: confirm-timeout activation profile-failed run-failed")},
               {"verified", of_type("boolean")}})},
      {"node.finished", node_finished()},
      {"log", record({{"stream", of_type("string")},
                      {"text", of_type("string")},
                      {"part", nullable("integer")},
                      {"last", of_type("boolean")}})},
      {"heartbeat", record({{"running", list_of(of_type("string"))}})},
      {"cancel.requested", record({{"source", of_type("string")},
                                   {"signal", nullable("string")},
                                   {"policy", of_type("string")}})},
      {"webhook.delivered", webhook(false)},
      {"webhook.failed", webhook(true)},
      {"run.finished", run_finished()},
  };
}

Json envelope() {
  Json schema = record({{"v", Json{{"const", schema_major}}},
                        {"seq", Json{{"type", "integer"}, {"minimum", 1}}},
                        {"time", Json{{"type", "string"}, {"format", "date-time"}}},
                        {"run", of_type("string")},
                        {"type", of_type("string")},
                        {"level", closed({Level::debug, Level::info, Level::warn, Level::error})},
                        {"msg", Json{{"type", "string"}, {"minLength", 1}}},
                        {"data", of_type("object")}});
  Json& properties = schema["properties"]; // the optional ones: what the event is about
  properties["node"] = of_type("string");
  properties["profile"] = of_type("string");
  properties["stage"] = stage();
  properties["attempt"] = of_type("integer");
  return schema;
}

} // namespace

std::string events_schema() {
  Json schema{{"$schema", "http://json-schema.org/draft-07/schema#"},
              {"title", "A line of belay's event stream, version " + std::to_string(schema_major) +
                            "." + std::to_string(schema_minor)},
              {"description", "One JSON object a line. Ignore types and fields that you do not "
                              "know; take an unknown outcome for one that is not a success."}};
  schema.update(envelope());
  Json rules = Json::array();
  for (const auto& [type, data] : payloads())
    rules.push_back({{"if", {{"properties", {{"type", {{"const", type}}}}}}},
                     {"then", {{"properties", {{"data", data}}}}}});
  schema["allOf"] = rules;
  return schema.dump(2) + "\n";
}

} // namespace belay::event
