// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/plan/setting_keys.h"
#include "engine/plan/wording.h"
#include "engine/plan/yaml_document.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// A section of the plan file is a table of keys, and a key is its name, its JSON Schema and what
// reads it. The reader below, its "did you mean", and `belay schema plan` are made from the same
// tables and so accept the same keys.

namespace belay::plan {

/// What messages call a value: its key and the section that it stands in ("" at the top).
struct Where {
  std::string key;
  std::string section;

  /// `key "copy" in limits`
  std::string describe() const;
};

/// A text that is read or written under a rule.
struct TextRule {
  std::string pattern; ///< for the schema; empty = any
  std::function<std::optional<std::string>(const std::string&)> check; ///< what is wrong, or none
};

std::optional<bool> read_flag(const YamlNode& node, const Where& where, Problems& problems);
std::optional<std::int64_t> read_number(const YamlNode& node, Range range, const Where& where,
                                        Problems& problems);
std::optional<std::string> read_text(const YamlNode& node, const TextRule& rule, const Where& where,
                                     Problems& problems);
std::optional<std::vector<std::string>> read_texts(const YamlNode& node, const TextRule& rule,
                                                   const Where& where, Problems& problems);
/// False, and a problem, unless it is a map or nothing.
bool require_map(const YamlNode& node, const Where& where, Problems& problems);
bool require_list(const YamlNode& node, const Where& where, Problems& problems);

template <class T> struct Key {
  std::string_view name;
  nlohmann::json schema;
  std::function<void(T& into, const YamlNode& value, const Where& where, Problems& problems)> read;
};
template <class T> using Keys = std::vector<Key<T>>;

/// The key of a map's entry; nullopt and a problem where it is no text, or was there before.
class EntryNames {
public:
  EntryNames(std::string section, Problems& problems)
      : section_(std::move(section)), problems_(problems) {}
  std::optional<std::string> take(const YamlNode& key);

private:
  std::string section_;
  Problems& problems_;
  std::set<std::string> seen_;
};

/// A problem that names the nearest of `names`.
void report_unknown_key(const YamlNode& key, const std::string& section,
                        const std::vector<std::string>& names, Problems& problems);

/// Reads a map whose keys are those of the table. `section` is what messages call it.
template <class T>
void read_section(const YamlNode& map, const Keys<T>& keys, const std::string& section, T& into,
                  Problems& problems) {
  EntryNames names(section, problems);
  for (const auto& [key_node, value] : map.entries) {
    const auto name = names.take(*key_node);
    if (!name) {
      continue;
    }
    const auto key = std::find_if(keys.begin(), keys.end(),
                                  [&](const Key<T>& candidate) { return candidate.name == *name; });
    if (key != keys.end()) {
      key->read(into, *value, {*name, section}, problems);
      continue;
    }
    std::vector<std::string> known;
    for (const Key<T>& candidate : keys) {
      known.emplace_back(candidate.name);
    }
    report_unknown_key(*key_node, section, known, problems);
  }
}

template <class T>
nlohmann::json section_schema(const Keys<T>& keys, std::string_view description) {
  nlohmann::json properties = nlohmann::json::object();
  for (const Key<T>& key : keys) {
    properties[std::string(key.name)] = key.schema;
  }
  return {{"type", "object"},
          {"description", description},
          {"additionalProperties", false},
          {"properties", std::move(properties)}};
}

nlohmann::json flag_schema(std::string_view description);
nlohmann::json number_schema(Range range, std::string_view description);
nlohmann::json text_schema(const TextRule& rule, std::string_view description);
nlohmann::json texts_schema(const TextRule& rule, std::string_view description);

// The ways to make a key. `place` is a pointer to an optional member or a function that returns a
// reference to an optional.

template <class T, class Place>
Key<T> flag_key(std::string_view name, Place place, std::string_view description) {
  return {name, flag_schema(description),
          [place](T& into, const YamlNode& value, const Where& where, Problems& problems) {
            if (const auto flag = read_flag(value, where, problems)) {
              std::invoke(place, into) = *flag;
            }
          }};
}

/// A whole number, also as seconds or int.
template <class T, class Place>
Key<T> number_key(std::string_view name, Place place, Range range, std::string_view description) {
  return {name, number_schema(range, description),
          [place, range](T& into, const YamlNode& value, const Where& where, Problems& problems) {
            if (const auto number = read_number(value, range, where, problems)) {
              auto& member = std::invoke(place, into);
              using Value = typename std::remove_reference_t<decltype(member)>::value_type;
              member = Value(static_cast<int>(*number));
            }
          }};
}

template <class T, class Place>
Key<T> text_key(std::string_view name, Place place, TextRule rule, std::string_view description) {
  return {name, text_schema(rule, description),
          [place, rule](T& into, const YamlNode& value, const Where& where, Problems& problems) {
            if (auto text = read_text(value, rule, where, problems)) {
              std::invoke(place, into) = std::move(*text);
            }
          }};
}

template <class T, class Place>
Key<T> texts_key(std::string_view name, Place place, TextRule rule, std::string_view description) {
  return {name, texts_schema(rule, description),
          [place, rule](T& into, const YamlNode& value, const Where& where, Problems& problems) {
            if (auto texts = read_texts(value, rule, where, problems)) {
              std::invoke(place, into) = std::move(*texts);
            }
          }};
}

/// A nested section that is read into what `place` refers to.
template <class T, class Place, class Inner>
Key<T> section_key(std::string_view name, Place place, const Keys<Inner>& keys,
                   std::string_view description) {
  return {name, section_schema(keys, description),
          [place, &keys](T& into, const YamlNode& value, const Where& where, Problems& problems) {
            if (require_map(value, where, problems)) {
              read_section(value, keys,
                           where.section.empty() ? where.key : where.key + " of " + where.section,
                           std::invoke(place, into), problems);
            }
          }};
}

/// The keys of an inner value as keys of what holds it.
template <class T, class Inner, class Place>
void append_lifted(Keys<T>& keys, const Keys<Inner>& inner, Place place) {
  for (const Key<Inner>& key : inner) {
    keys.push_back({key.name, key.schema,
                    [place, read = key.read](T& into, const YamlNode& value, const Where& where,
                                             Problems& problems) {
                      read(std::invoke(place, into), value, where, problems);
                    }});
  }
}

} // namespace belay::plan
