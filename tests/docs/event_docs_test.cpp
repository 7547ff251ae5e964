// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/text.h"
#include "engine/event/event_json.h"
#include "tests/catch.h"

#include <map>
#include <nlohmann/json.hpp>
#include <set>

// docs/events.md names every type and field that the schema has, with its type, and no other.

using namespace belay;
using nlohmann::json;

namespace {

using Fields = std::map<std::string, std::string>; ///< dotted path -> type as the docs say it

std::string document() {
  return read_file(std::string(BELAY_SOURCE_DIR) + "/docs/events.md", 1 << 20);
}

std::string simple_type(const json& schema) {
  if (!schema.contains("type"))
    return schema.contains("const") && schema["const"].is_number() ? "integer" : "string";
  const json& type = schema["type"];
  return type.is_array() ? type[0].get<std::string>() + " or null" : type.get<std::string>();
}

void collect(const json& schema, const std::string& path, Fields& fields) {
  if (schema.contains("properties")) {
    for (const auto& [name, sub] : schema["properties"].items())
      collect(sub, path.empty() ? name : path + "." + name, fields);
  } else if (schema.contains("additionalProperties")) {
    fields[path] = "object of string";
  } else if (schema.contains("items") && schema["items"].contains("properties")) {
    collect(schema["items"], path + "[]", fields);
  } else if (schema.contains("items") && schema["items"].contains("description")) {
    fields[path + "[]"] = simple_type(schema["items"]);
  } else if (schema.contains("items")) {
    fields[path] = "array of " + simple_type(schema["items"]);
  } else {
    fields[path] = simple_type(schema);
  }
}

std::map<std::string, Fields> fields_of_schema() {
  const json schema = json::parse(event::events_schema());
  std::map<std::string, Fields> types;
  for (const json& rule : schema["allOf"])
    collect(rule["then"]["properties"]["data"], "",
            types[rule["if"]["properties"]["type"]["const"].get<std::string>()]);
  for (const auto& [name, sub] : schema["properties"].items()) {
    Fields& envelope = types["envelope"];
    const bool required = schema["required"].end() !=
                          std::find(schema["required"].begin(), schema["required"].end(), name);
    envelope[name] = simple_type(sub) + (required ? "" : ", may be left out");
  }
  return types;
}

/// "| `a` | b | c |" -> {"a", "b", "c"}.
std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  for (const std::string& cell : split(line, '|')) {
    std::string text(trim(cell));
    if (text.size() > 2 && text.front() == '`' && text.back() == '`')
      text = text.substr(1, text.size() - 2);
    cells.push_back(text);
  }
  return cells.size() > 2 ? std::vector(cells.begin() + 1, cells.end() - 1)
                          : std::vector<std::string>();
}

std::map<std::string, Fields> fields_of_document() {
  std::map<std::string, Fields> types;
  Fields* now = nullptr;
  for (const std::string& line : split(document(), '\n')) {
    if (line.starts_with("### `"))
      now = &types[line.substr(5, line.size() - 6)];
    else if (line == "## Envelope")
      now = &types["envelope"];
    else if (line.starts_with("#") || line.starts_with("| Outcome"))
      now = nullptr;
    else if (now != nullptr && line.starts_with("| `"))
      (*now)[cells_of(line).at(0)] = cells_of(line).at(1);
  }
  return types;
}

bool names(const std::string& text, std::string_view name) {
  return text.find("`" + std::string(name) + "`") != std::string::npos;
}

} // namespace

TEST_CASE("the docs say which version of the stream they describe") {
  const auto version =
      std::to_string(event::schema_major) + "." + std::to_string(event::schema_minor);
  CHECK(document().find("This is version " + version + " of `belay.events`") != std::string::npos);
  CHECK(json::parse(event::events_schema())["title"].get<std::string>().ends_with(version));
}

TEST_CASE("docs/events.md has every type and field of the schema and no other") {
  const auto documented = fields_of_document(), actual = fields_of_schema();
  CHECK(actual.size() == event::event_types().size() + 1);
  for (const auto& [type, fields] : actual) {
    INFO(type);
    REQUIRE(documented.contains(type));
    for (const auto& [name, kind] : fields) {
      INFO(name << ": " << kind);
      REQUIRE(documented.at(type).contains(name));
      CHECK(documented.at(type).at(name) == kind);
    }
    CHECK(documented.at(type).size() == fields.size());
  }
  for (const auto& [type, fields] : documented) {
    INFO("documented: " << type);
    REQUIRE(actual.contains(type));
    for (const auto& [name, kind] : fields) {
      INFO("documented: " << name);
      CHECK(actual.at(type).contains(name));
    }
  }
}

TEST_CASE("docs/events.md names every value of the enums") {
  using namespace belay::event;
  const std::string text = document();
  for (const Outcome value :
       {Outcome::success, Outcome::failure, Outcome::error, Outcome::cancelled, Outcome::skipped})
    CHECK(names(text, name_of(value)));
  for (const Stage value :
       {Stage::evaluate, Stage::check, Stage::build, Stage::sign, Stage::copy, Stage::lock,
        Stage::activate, Stage::confirm, Stage::verify, Stage::rollback})
    CHECK(names(text, name_of(value)));
  for (const Rollback value :
       {Rollback::none, Rollback::succeeded, Rollback::failed, Rollback::unknown})
    CHECK(names(text, name_of(value)));
  for (const RollbackTrigger value : {RollbackTrigger::confirm_timeout, RollbackTrigger::activation,
                                      RollbackTrigger::profile_failed, RollbackTrigger::run_failed})
    CHECK(names(text, name_of(value)));
  for (const Level value : {Level::debug, Level::info, Level::warn, Level::error})
    CHECK(names(text, name_of(value)));
}

TEST_CASE("docs/events.md names every reason and no other") {
  namespace reasons = belay::event::reasons;
  std::set<std::string_view> actual{
      reasons::activation_failed,   reasons::activation_timeout, reasons::confirm_timeout,
      reasons::rolled_back,         reasons::rollback_failed,    reasons::state_unknown,
      reasons::left_to_target,      reasons::verify_failed,      reasons::superseded,
      reasons::not_reached,         reasons::fail_fast,          reasons::skipped_by_plan,
      reasons::boot_default_failed, reasons::check_failed};
  for (int kind = 0; kind <= static_cast<int>(ErrorKind::internal); ++kind)
    actual.insert(reason_of(static_cast<ErrorKind>(kind)));
  const std::string text = document();
  const std::size_t start = text.find("`reason` is open"), end = text.find("In `run.finished`");
  REQUIRE(start < end);
  REQUIRE(end != std::string::npos);
  std::set<std::string> documented;
  const std::vector<std::string> words = split(text.substr(start, end - start), '`');
  for (std::size_t i = 3; i < words.size(); i += 2) // every second one stands between backquotes
    documented.insert(words[i]);
  for (const std::string_view reason : actual) {
    INFO(reason);
    CHECK(documented.contains(std::string(reason)));
  }
  CHECK(documented.size() == actual.size());
}
