// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/json_fields.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <limits>

namespace belay::agent {

namespace {

[[noreturn]] void wrong(const char* key, const char* expected) {
  throw Error(ErrorKind::protocol, "field \"" + std::string(key) + "\" is not " + expected);
}

const Json* find(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found == json.end() || found->is_null() ? nullptr : &*found;
}

const Json& need(const Json& json, const char* key) {
  const auto* found = find(json, key);
  if (found == nullptr) {
    throw Error(ErrorKind::protocol, "field \"" + std::string(key) + "\" is missing");
  }
  return *found;
}

std::int64_t integer(const Json& value, const char* key) {
  const bool too_large = value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t{1}
                                                                                        << 62U;
  if (!value.is_number_integer() || too_large) {
    wrong(key, "an integer");
  }
  return value.get<std::int64_t>();
}

int small(std::int64_t value, const char* key) {
  if (value < std::numeric_limits<int>::min() || value > std::numeric_limits<int>::max()) {
    wrong(key, "a small integer");
  }
  return static_cast<int>(value);
}

} // namespace

void unknown(const char* what, std::string_view name) {
  throw Error(ErrorKind::protocol,
              "unknown " + std::string(what) + " \"" + one_line(name.substr(0, 200)) + "\"");
}

void of_later_version(const std::string& what) {
  throw Error(ErrorKind::protocol, what + " is of a later belay than this one: deploy with that " +
                                       "one, or run its `belay-agent recover` on the target");
}

Json parse_object(std::string_view text) {
  auto json = Json::parse(text, nullptr, false);
  if (!json.is_object()) {
    throw Error(ErrorKind::protocol,
                "this is not a JSON object: \"" + one_line(text.substr(0, 200)) + "\"");
  }
  return json;
}

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string text_at(const Json& json, const char* key) {
  const auto& value = need(json, key);
  if (!value.is_string()) {
    wrong(key, "a string");
  }
  return value.get<std::string>();
}

std::int64_t integer_at(const Json& json, const char* key) {
  return integer(need(json, key), key);
}

int small_integer_at(const Json& json, const char* key) {
  return small(integer_at(json, key), key);
}

bool flag_at(const Json& json, const char* key) {
  const auto& value = need(json, key);
  if (!value.is_boolean()) {
    wrong(key, "true or false");
  }
  return value.get<bool>();
}

const Json& object_at(const Json& json, const char* key) {
  const auto& value = need(json, key);
  if (!value.is_object()) {
    wrong(key, "an object");
  }
  return value;
}

const Json& array_at(const Json& json, const char* key) {
  const auto& value = need(json, key);
  if (!value.is_array()) {
    wrong(key, "a list");
  }
  return value;
}

std::optional<std::string> maybe_text_at(const Json& json, const char* key) {
  return find(json, key) == nullptr ? std::nullopt : std::optional(text_at(json, key));
}

std::optional<bool> maybe_flag_at(const Json& json, const char* key) {
  return find(json, key) == nullptr ? std::nullopt : std::optional(flag_at(json, key));
}

std::optional<std::int64_t> maybe_integer_at(const Json& json, const char* key) {
  return find(json, key) == nullptr ? std::nullopt : std::optional(integer_at(json, key));
}

std::optional<int> maybe_small_integer_at(const Json& json, const char* key) {
  return find(json, key) == nullptr ? std::nullopt : std::optional(small_integer_at(json, key));
}

std::optional<Duration> maybe_duration_at(const Json& json, const char* key) {
  const auto count = maybe_integer_at(json, key);
  return count ? std::optional(Duration(*count)) : std::nullopt;
}

} // namespace belay::agent
