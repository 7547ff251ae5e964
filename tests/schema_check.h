// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

// The part of JSON Schema draft-07 that belay's own schemas use, and nothing else: a keyword that
// it does not know is an error, so that it never passes what it did not check.

namespace belay::test {

class SchemaCheck {
public:
  explicit SchemaCheck(const std::string& schema) : schema_(nlohmann::json::parse(schema)) {}

  /// What is wrong with the JSON text; empty = valid.
  std::vector<std::string> problems(std::string_view text) const {
    std::vector<std::string> found;
    check(schema_, nlohmann::json::parse(text), "", found);
    return found;
  }
  const nlohmann::json& schema() const { return schema_; }

private:
  using Json = nlohmann::json;
  using Found = std::vector<std::string>;

  static bool has_type(const Json& value, const std::string& type) {
    if (type == "object")
      return value.is_object();
    if (type == "array")
      return value.is_array();
    if (type == "string")
      return value.is_string();
    if (type == "boolean")
      return value.is_boolean();
    if (type == "null")
      return value.is_null();
    if (type == "integer")
      return value.is_number_integer();
    if (type == "number")
      return value.is_number();
    throw std::logic_error("no such type: " + type);
  }

  static bool has_any_type(const Json& value, const Json& types) {
    if (types.is_string())
      return has_type(value, types);
    for (const Json& type : types)
      if (has_type(value, type))
        return true;
    return false;
  }

  static void check(const Json& schema, const Json& value, const std::string& at, Found& found) {
    if (schema.is_boolean()) {
      if (!schema.get<bool>())
        found.push_back(at + " is not allowed");
      return;
    }
    for (const auto& [keyword, rule] : schema.items())
      apply(schema, keyword, rule, value, at, found);
  }

  static void apply(const Json& schema, const std::string& keyword, const Json& rule,
                    const Json& value, const std::string& at, Found& found) {
    const auto expect = [&](bool good) {
      if (!good)
        found.push_back(at + " breaks " + keyword + " " + rule.dump());
    };
    if (keyword == "type") {
      expect(has_any_type(value, rule));
    } else if (keyword == "const") {
      expect(value == rule);
    } else if (keyword == "enum") {
      expect(std::find(rule.begin(), rule.end(), value) != rule.end());
    } else if (keyword == "minimum") {
      expect(!value.is_number() || value >= rule);
    } else if (keyword == "minLength") {
      expect(!value.is_string() || value.get<std::string>().size() >= rule.get<std::size_t>());
    } else if (keyword == "required") {
      for (const Json& name : rule)
        if (value.is_object() && !value.contains(name.get<std::string>()))
          found.push_back(at + " has no " + name.get<std::string>());
    } else if (keyword == "properties") {
      for (const auto& [name, sub] : rule.items())
        if (value.is_object() && value.contains(name))
          check(sub, value[name], at + "/" + name, found);
    } else if (keyword == "additionalProperties") {
      const Json known = schema.value("properties", Json::object());
      if (value.is_object())
        for (const auto& [name, item] : value.items())
          if (!known.contains(name))
            check(rule, item, at + "/" + name, found);
    } else if (keyword == "items") {
      if (value.is_array())
        for (std::size_t i = 0; i < value.size(); ++i)
          check(rule, value[i], at + "/" + std::to_string(i), found);
    } else if (keyword == "allOf") {
      for (const Json& sub : rule)
        check(sub, value, at, found);
    } else if (keyword == "if") {
      Found ignored;
      check(rule, value, at, ignored);
      if (ignored.empty() && schema.contains("then"))
        check(schema["then"], value, at, found);
    } else if (keyword != "$schema" && keyword != "$id" && keyword != "title" &&
               keyword != "description" && keyword != "format" && keyword != "then" &&
               keyword != "default") {
      throw std::logic_error("a schema keyword that this test does not know: " + keyword);
    }
  }

  Json schema_;
};

} // namespace belay::test
