// SPDX-License-Identifier: Apache-2.0
#include "engine/plan/section.h"

#include "engine/base/text.h"

#include <algorithm>
#include <charconv>

namespace belay::plan {
namespace {

void wrong_type(const YamlNode& node, const std::string& wanted, const Where& where,
                Problems& problems, std::string hint = {}) {
  problems.error("wrong-type",
                 where.describe() + ": expected " + wanted + ", found " + node.describe(),
                 node.mark, std::move(hint));
}

bool looks_like_flag(const YamlNode& node) {
  return node.kind == YamlNode::Kind::text &&
         (node.text == "true" || node.text == "false" || node.text == "yes" || node.text == "no" ||
          node.text == "on" || node.text == "off");
}

bool is_scalar(const YamlNode& node) {
  return node.kind == YamlNode::Kind::boolean || node.kind == YamlNode::Kind::integer ||
         node.kind == YamlNode::Kind::real;
}

std::optional<std::int64_t> to_number(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
  }
  std::int64_t number = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  return result.ec == std::errc{} ? std::optional(number) : std::nullopt;
}

} // namespace

std::string Where::describe() const {
  return "key " + in_quotes(key) + (section.empty() ? "" : " in " + section);
}

std::optional<bool> read_flag(const YamlNode& node, const Where& where, Problems& problems) {
  if (node.kind == YamlNode::Kind::boolean) {
    return node.text.front() == 't' || node.text.front() == 'T';
  }
  wrong_type(node, "true or false", where, problems,
             looks_like_flag(node) ? "write true or false, without quotes" : "");
  return std::nullopt;
}

std::optional<std::int64_t> read_number(const YamlNode& node, Range range, const Where& where,
                                        Problems& problems) {
  const std::string wanted =
      "a whole number from " + std::to_string(range.least) + " to " + std::to_string(range.most);
  if (node.kind != YamlNode::Kind::integer) {
    const bool as_text = node.kind == YamlNode::Kind::text && to_number(node.text);
    wrong_type(node, wanted, where, problems, as_text ? "write it without quotes" : "");
    return std::nullopt;
  }
  const auto number = to_number(node.text);
  if (!number || *number < range.least || *number > range.most) {
    problems.error("out-of-range",
                   where.describe() + ": expected " + wanted + ", found " + one_line(node.text),
                   node.mark);
    return std::nullopt;
  }
  return number;
}

std::optional<std::string> read_text(const YamlNode& node, const TextRule& rule, const Where& where,
                                     Problems& problems) {
  if (node.kind != YamlNode::Kind::text) {
    wrong_type(node, "text", where, problems,
               is_scalar(node) ? "write \"" + one_line(node.text) + "\" in quotes" : "");
    return std::nullopt;
  }
  std::optional<std::string> complaint;
  if (node.text.find('\0') != std::string::npos) {
    complaint = "a NUL character is not allowed";
  } else if (rule.check) {
    complaint = rule.check(node.text);
  }
  if (complaint) {
    problems.error("bad-value", where.describe() + ": " + *complaint, node.mark);
    return std::nullopt;
  }
  return node.text;
}

std::optional<std::vector<std::string>> read_texts(const YamlNode& node, const TextRule& rule,
                                                   const Where& where, Problems& problems) {
  if (node.kind != YamlNode::Kind::list) {
    wrong_type(node, "a list of texts", where, problems,
               node.kind == YamlNode::Kind::text ? "put it in brackets: [ … ]" : "");
    return std::nullopt;
  }
  std::vector<std::string> texts;
  for (const YamlPointer& item : node.items) {
    if (auto text = read_text(*item, rule, where, problems)) {
      texts.push_back(std::move(*text));
    }
  }
  return texts;
}

bool require_map(const YamlNode& node, const Where& where, Problems& problems) {
  if (node.kind != YamlNode::Kind::map && node.kind != YamlNode::Kind::null) {
    wrong_type(node, "a map of keys", where, problems);
    return false;
  }
  return true;
}

bool require_list(const YamlNode& node, const Where& where, Problems& problems) {
  if (node.kind != YamlNode::Kind::list && node.kind != YamlNode::Kind::null) {
    wrong_type(node, "a list", where, problems);
    return false;
  }
  return true;
}

std::optional<std::string> EntryNames::take(const YamlNode& key) {
  const std::string place = section_.empty() ? "" : " in " + section_;
  if (key.kind == YamlNode::Kind::list || key.kind == YamlNode::Kind::map || key.text.empty() ||
      key.text.find('\0') != std::string::npos) {
    problems_.error("bad-key", "a key must be text, and not empty" + place, key.mark);
    return std::nullopt;
  }
  if (!seen_.insert(key.text).second) {
    problems_.error("duplicate-key", "key " + in_quotes(key.text) + place + " is there twice",
                    key.mark, "remove one of them");
    return std::nullopt;
  }
  return key.text;
}

void report_unknown_key(const YamlNode& key, const std::string& section,
                        const std::vector<std::string>& names, Problems& problems) {
  const std::string meant = did_you_mean(key.text, names);
  problems.error("unknown-key",
                 "unknown key " + in_quotes(key.text) + (section.empty() ? "" : " in " + section),
                 key.mark, meant.empty() ? "known keys: " + join(names, ", ") : meant);
}

nlohmann::json flag_schema(std::string_view description) {
  return {{"type", "boolean"}, {"description", description}};
}

nlohmann::json number_schema(Range range, std::string_view description) {
  return {{"type", "integer"},
          {"minimum", range.least},
          {"maximum", range.most},
          {"description", description}};
}

nlohmann::json text_schema(const TextRule& rule, std::string_view description) {
  nlohmann::json schema{{"type", "string"}, {"description", description}};
  if (!rule.pattern.empty()) {
    schema["pattern"] = rule.pattern;
  }
  return schema;
}

nlohmann::json texts_schema(const TextRule& rule, std::string_view description) {
  nlohmann::json item{{"type", "string"}};
  if (!rule.pattern.empty()) {
    item["pattern"] = rule.pattern;
  }
  return {{"type", "array"}, {"items", std::move(item)}, {"description", description}};
}

} // namespace belay::plan
