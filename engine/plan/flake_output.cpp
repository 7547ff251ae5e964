// SPDX-License-Identifier: Apache-2.0
#include "engine/plan/flake_output.h"

#include "engine/base/error.h"
#include "engine/plan/setting_keys.h"
#include "engine/plan/wording.h"

#include <nlohmann/json.hpp>
#include <type_traits>

namespace belay::plan {
namespace {

using nlohmann::json;

/// The value of a key; nullptr where it is absent or null, which mean the same.
const json* find(const json& object, std::string_view key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

bool is_true(const json& object, std::string_view key) {
  const json* value = find(object, key);
  return value && value->is_boolean() && value->get<bool>();
}

/// What JSON has no form for comes as {"__type": what it is}.
std::string odd_type(const json& value) {
  const json* type = value.is_object() ? find(value, "__type") : nullptr;
  return type && type->is_string() ? type->get<std::string>() : "";
}

bool is_set(const json& value) {
  return value.is_object() && odd_type(value).empty();
}

std::string describe(const json& value) {
  const auto odd = odd_type(value);
  switch (value.type()) {
  case json::value_t::object:
    return odd == "lambda"               ? "a function"
           : odd.empty() || odd == "set" ? "an attribute set"
                                         : "a " + odd;
  case json::value_t::null:
    return "null";
  case json::value_t::array:
    return "a list";
  case json::value_t::string:
    return "the text " + in_quotes(value.get_ref<const std::string&>());
  case json::value_t::boolean:
    return value.get<bool>() ? "true" : "false";
  default:
    return "the number " + value.dump();
  }
}

/// Reads the values of one attribute set; each problem names flake, attribute and key.
class AttributeReader {
public:
  AttributeReader(std::string attribute, const std::string& flake, Diagnostics& problems)
      : attribute_(std::move(attribute)), flake_(flake), problems_(problems) {}

  void problem(std::string code, const std::string& message) const {
    problems_.push_back({Diagnostic::Severity::error, std::move(code),
                         "flake " + in_quotes(flake_) + ": " + message, "", 0, 0, ""});
  }
  void wrong_type(std::string_view key, const std::string& wanted, const json& found) const {
    problem("wrong-type", path_to(key) + ": expected " + wanted + ", found " + describe(found));
  }
  void wrong_type(const json& found) const {
    problem("wrong-type", attribute_ + ": expected an attribute set, found " + describe(found));
  }
  std::string path_to(std::string_view key) const { return attribute_ + "." + nix_attribute(key); }
  AttributeReader below(std::string_view name) const { return {path_to(name), flake_, problems_}; }

  /// A text without NUL, or none and a problem.
  std::optional<std::string> text(std::string_view key, const json& value) const {
    if (!value.is_string()) {
      wrong_type(key, "text", value);
      return std::nullopt;
    }
    auto text = value.get<std::string>();
    if (text.find('\0') != std::string::npos) {
      problem("bad-value", path_to(key) + ": a NUL character is not allowed");
      return std::nullopt;
    }
    return text;
  }

  std::optional<std::vector<std::string>> texts(std::string_view key, const json& value) const {
    if (!value.is_array()) {
      wrong_type(key, "a list of texts", value);
      return std::nullopt;
    }
    std::vector<std::string> texts;
    for (const json& item : value) {
      if (auto one = text(key, item)) {
        texts.push_back(std::move(*one));
      }
    }
    return texts;
  }

  void read(std::string_view key, const json& value, std::optional<bool>& into) const {
    if (value.is_boolean()) {
      into = value.get<bool>();
    } else {
      wrong_type(key, "true or false", value);
    }
  }
  void read(std::string_view key, const json& value, std::optional<Seconds>& into) const {
    if (!value.is_number_integer()) {
      wrong_type(key, "a whole number", value);
      return;
    }
    // Nix's integers have 64 bits, so nothing wraps here.
    const auto number = value.get<std::int64_t>();
    if (number < timeout_range.least || number > timeout_range.most) {
      problem("out-of-range", path_to(key) + ": expected a whole number from " +
                                  std::to_string(timeout_range.least) + " to " +
                                  std::to_string(timeout_range.most) + ", found " + value.dump());
      return;
    }
    into = Seconds(number);
  }
  void read(std::string_view key, const json& value, std::optional<std::string>& into) const {
    into = text(key, value);
  }
  template <class Choice>
  requires std::is_enum_v<Choice>
  void read(std::string_view, const json&, std::optional<Choice>&) const {
    // belay's own: not in a flake
  }
  void read(std::string_view key, const json& value,
            std::optional<std::vector<std::string>>& into) const {
    into = texts(key, value);
  }
  void read(std::string_view key, const json& value, std::vector<std::string>& into) const {
    into = texts(key, value).value_or(std::vector<std::string>{});
  }

private:
  std::string attribute_;
  const std::string& flake_;
  Diagnostics& problems_;
};

Settings read_settings(const json& object, const AttributeReader& reader) {
  Settings settings;
  for (const SettingKey& key : setting_keys()) {
    const json* value =
        key.scope == SettingScope::flake_and_file ? find(object, key.name) : nullptr;
    if (value) {
      std::visit([&](auto member) { reader.read(key.name, *value, settings.*member); }, key.member);
    }
  }
  return settings;
}

/// A context entry with outputs is a derivation to build; `path: true` is a plain store path.
std::vector<std::string> derivations_of(const json& profile) {
  std::vector<std::string> derivations;
  if (const json* context = find(profile, "context"); context && context->is_object()) {
    for (const auto& [path, entry] : context->items()) {
      if (entry.is_object() && entry.contains("outputs")) {
        derivations.push_back(path);
      }
    }
  }
  return derivations;
}

FlakeProfile read_profile(const json& object, const AttributeReader& reader) {
  FlakeProfile profile;
  const json* path = find(object, "path");
  if (path) {
    profile.path = reader.text("path", *path);
  } else {
    reader.problem("missing-key", reader.path_to("path") + " is missing");
  }
  if (const json* profile_path = find(object, "profilePath")) {
    profile.profile_path = reader.text("profilePath", *profile_path);
  }
  profile.derivations = derivations_of(object);
  profile.settings = read_settings(object, reader);
  return profile;
}

void read_profiles(const json& profiles, const AttributeReader& reader, FlakeNode& node) {
  for (const auto& [name, value] : profiles.items()) {
    if (!is_set(value)) {
      reader.wrong_type(name, "an attribute set", value);
    } else {
      node.profiles.emplace(name, read_profile(value, reader.below(name)));
    }
  }
}

void read_node_value(const json& value, const AttributeReader& reader, FlakeNode& node) {
  if (const json* hostname = find(value, "hostname")) {
    node.hostname = reader.text("hostname", *hostname).value_or("");
  }
  if (const json* order = find(value, "profilesOrder")) {
    node.profiles_order =
        reader.texts("profilesOrder", *order).value_or(std::vector<std::string>{});
  }
  node.settings = read_settings(value, reader);
  const json* profiles = find(value, "profiles");
  if (!profiles) {
    reader.problem("missing-key", reader.path_to("profiles") + " is missing");
  } else if (!is_set(*profiles)) {
    reader.wrong_type("profiles", "an attribute set", *profiles);
  } else {
    read_profiles(*profiles, reader.below("profiles"), node);
  }
}

FlakeNode read_node(const json& object, const AttributeReader& reader) {
  FlakeNode node;
  node.selected = is_true(object, "selected");
  node.evaluated = is_true(object, "ok");
  if (const json* error = find(object, "error"); error && error->is_string()) {
    node.error = error->get<std::string>();
  }
  if (const json* names = find(object, "profileNames")) {
    node.profile_names = reader.texts("profiles", *names).value_or(std::vector<std::string>{});
  }
  const json* value = find(object, "value");
  if (!node.selected || !node.evaluated || !value) {
    node.evaluated = node.evaluated && value;
    return node;
  }
  if (is_set(*value)) {
    read_node_value(*value, reader, node);
  } else {
    reader.wrong_type(*value);
  }
  return node;
}

json parse_output(std::string_view text, const std::string& flake) {
  json parsed = json::parse(text, nullptr, false);
  if (parsed.is_discarded() || !parsed.is_object() || !parsed.contains("nodes")) {
    throw Error(ErrorKind::evaluation_failed,
                "the evaluation of " + flake + "#deploy did not give what belay asked for");
  }
  return parsed;
}

} // namespace

FlakeOutput parse_flake_output(std::string_view text, const std::string& flake,
                               Diagnostics& problems) {
  FlakeOutput output;
  output.flake = flake;
  const json parsed = parse_output(text, flake);
  const AttributeReader deploy("deploy", flake, problems);
  if (const json* generic = find(parsed, "generic"); generic && generic->is_object()) {
    output.settings = read_settings(*generic, deploy);
  }
  if (!find(parsed, "nodes")) {
    deploy.problem("missing-key", deploy.path_to("nodes") + " is missing");
    return output;
  }
  if (!is_set(parsed.at("nodes"))) {
    deploy.wrong_type("nodes", "an attribute set", parsed.at("nodes"));
    return output;
  }
  const AttributeReader nodes = deploy.below("nodes");
  for (const auto& [name, node] : parsed.at("nodes").items()) {
    if (name.find('\0') != std::string::npos) {
      nodes.problem("bad-value", "the name of a node holds a NUL character");
    } else if (!node.is_object()) {
      nodes.wrong_type(name, "an attribute set", node);
    } else {
      output.nodes.emplace(name, read_node(node, nodes.below(name)));
    }
  }
  return output;
}

} // namespace belay::plan
