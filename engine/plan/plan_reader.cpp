// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/plan/plan_fields.h"
#include "engine/plan/plan_json.h"
#include "engine/plan/text_rules.h"
#include "engine/plan/wording.h"

#include <nlohmann/json.hpp>

#include <set>

namespace belay::plan {
namespace {

using nlohmann::json;

[[noreturn]] void refuse(const std::string& where, const std::string& what) {
  throw Error(ErrorKind::invalid_plan, where + ": " + what);
}

/// What a value is read into; every field of it will be replaced.
template <class T> T blank() {
  if constexpr (std::is_same_v<T, StorePath>) {
    return *StorePath::parse("/nix/store/00000000000000000000000000000000-none");
  } else if constexpr (std::is_same_v<T, Profile>) {
    return Profile{"", blank<StorePath>(), {}, {}, ""};
  } else {
    return {};
  }
}

/// Takes fields out of an object. A field that is not there, one of another form and, at the end,
/// one that nobody asked for are refused.
class Reader {
public:
  Reader(std::string where, const json& object) : where_(std::move(where)), object_(object) {
    if (!object.is_object()) {
      refuse(where_, "expected an object");
    }
  }

  template <class T> void operator()(const char* name, T& value) {
    take(at(name), get(name), value);
  }
  template <class Number> void operator()(const char* name, Number& value, Range range) {
    take(at(name), get(name), value, range);
  }

  void text_or_null(const char* name, std::string& value) {
    std::optional<std::string> text;
    take(at(name), get(name), text);
    value = text.value_or("");
  }
  template <class T> void derived(const char* name, const T& expected) {
    if (get(name) != json(expected)) {
      refuse(at(name), "does not go with the rest");
    }
  }
  void origin(const char* name, std::optional<std::string>&) {
    if (!get(name).is_null()) {
      refuse(at(name), "the URL itself is not there");
    }
  }
  void secret(const char* variable, const char* file, std::optional<SecretSource>& source) {
    std::optional<std::string> named;
    take(at(variable), get(variable), named);
    if (named) {
      source = SecretSource{SecretSource::Kind::variable, *named};
    }
    take(at(file), get(file), named);
    if (named && source) {
      refuse(at(file), "there is " + std::string(variable) + ", too");
    }
    if (named) {
      source = SecretSource{SecretSource::Kind::file, *named};
    }
  }
  template <class T> void left_out(T&) {}

  void finish() const {
    for (const auto& [name, value] : object_.items()) {
      if (!known_.contains(name)) {
        refuse(where_, "unknown field " + in_quotes(name));
      }
    }
  }

private:
  std::string at(const std::string& name) const { return where_ + "." + name; }

  const json& get(const char* name) {
    known_.insert(name);
    const auto found = object_.find(name);
    if (found == object_.end()) {
      refuse(at(name), "this field is missing");
    }
    return *found;
  }

  static void take(const std::string& where, const json& value, std::string& into) {
    if (!value.is_string()) {
      refuse(where, "expected a text");
    }
    into = value.get<std::string>();
    if (into.find('\0') != std::string::npos) {
      refuse(where, "a NUL character is not allowed");
    }
  }
  static void take(const std::string& where, const json& value, bool& into) {
    if (!value.is_boolean()) {
      refuse(where, "expected true or false");
    }
    into = value.get<bool>();
  }
  template <class Number>
  static void take(const std::string& where, const json& value, Number& into, Range range) {
    const bool fits = value.is_number_integer() && value >= range.least && value <= range.most;
    if (!fits) {
      refuse(where, "expected a whole number from " + std::to_string(range.least) + " to " +
                        std::to_string(range.most));
    }
    into = Number(value.get<int>());
  }
  static void take(const std::string& where, const json& value, StorePath& into) {
    std::string text;
    take(where, value, text);
    const auto path = StorePath::parse(text);
    if (!path) {
      refuse(where, in_quotes(text) + " is no path directly in the store");
    }
    into = *path;
  }
  template <class T>
  static void take(const std::string& where, const json& value, std::optional<T>& into) {
    into.reset();
    if (!value.is_null()) {
      T inner = blank<T>();
      take(where, value, inner);
      into = std::move(inner);
    }
  }
  template <class T>
  static void take(const std::string& where, const json& value, std::vector<T>& into) {
    if (!value.is_array()) {
      refuse(where, "expected a list");
    }
    for (const json& item : value) {
      T inner = blank<T>();
      take(where + "[" + std::to_string(into.size()) + "]", item, inner);
      into.push_back(std::move(inner));
    }
  }
  template <class Choice>
  requires std::is_enum_v<Choice>
  static void take(const std::string& where, const json& value, Choice& into) {
    std::string name;
    take(where, value, name);
    const auto choice = choice_from<Choice>(name);
    if (!choice) {
      refuse(where, "unknown value " + in_quotes(name));
    }
    into = *choice;
  }
  template <class Struct>
  requires std::is_aggregate_v<Struct>
  static void take(const std::string& where, const json& value, Struct& into) {
    Reader reader(where, value);
    each_field(reader, into);
    reader.finish();
  }

  std::string where_;
  const json& object_;
  std::set<std::string> known_;
};

/// What the resolution would have refused, where types alone do not tell.
void check(const Profile& profile, const std::string& where) {
  if (!is_user_name(profile.user)) {
    refuse(where + ".user", in_quotes(profile.user) + " is no name of a user");
  }
  if (profile.profile_path && !profile.profile_path->starts_with('/')) {
    refuse(where + ".profile_path", "expected an absolute path");
  }
  if (!profile.profile_path && !is_file_name(profile.name)) {
    refuse(where + ".name", in_quotes(profile.name) + " is no name for a link");
  }
  if (profile.derivation && !profile.derivation->is_derivation()) {
    refuse(where + ".derivation", "expected a path that ends in .drv");
  }
}

void check(const Plan& plan) {
  std::set<std::string> names;
  for (const Node& node : plan.nodes) {
    const std::string where = "node " + in_quotes(node.name);
    if (!names.insert(node.name).second) {
      refuse(where, "is there twice");
    }
    if (const auto complaint = check_ssh_word(node.hostname); complaint && !node.skip) {
      refuse(where + ".host", *complaint);
    }
    if (const auto complaint =
            node.host_key ? host_key_line().check(*node.host_key) : std::nullopt) {
      refuse(where + ".host_key", *complaint);
    }
    for (const Profile& profile : node.profiles) {
      if (profile.mode != plan.policy.mode) {
        refuse(where + ", profile " + in_quotes(profile.name) + ".mode",
               "is not that of the policy");
      }
      check(profile, where + ", profile " + in_quotes(profile.name));
    }
  }
}

} // namespace

Plan plan_from_json(const json& value) {
  Plan plan;
  Reader reader("plan", value);
  each_field(reader, plan);
  reader.finish();
  check(plan);
  return plan;
}

} // namespace belay::plan
