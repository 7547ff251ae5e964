// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/clock.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

// Reading JSON that somebody else wrote: every field is asked for by name and type, and what is not
// so is an Error{protocol} that names the field. Internal to the agent's .cpp files.

namespace belay::agent {

using Json = nlohmann::json;

/// Throws Error{protocol}: a name from the other side, shown as one line whatever it holds.
[[noreturn]] void unknown(const char* what, std::string_view name);

/// Throws Error{protocol}: `what` is of a later belay than this one, and what to do about that.
[[noreturn]] void of_later_version(const std::string& what);

/// Throws Error{protocol} with the start of `text` unless it is one JSON object.
Json parse_object(std::string_view text);
/// On one line, without line feed; invalid UTF-8 is replaced, never an error.
std::string dump(const Json& json);

/// Each throws Error{protocol} where the field is missing or has another type or range.
std::string text_at(const Json& json, const char* key);
std::int64_t integer_at(const Json& json, const char* key);
int small_integer_at(const Json& json, const char* key);
bool flag_at(const Json& json, const char* key);
const Json& object_at(const Json& json, const char* key);
const Json& array_at(const Json& json, const char* key);

/// nullopt where the field is missing or null.
std::optional<std::string> maybe_text_at(const Json& json, const char* key);
std::optional<bool> maybe_flag_at(const Json& json, const char* key);
std::optional<std::int64_t> maybe_integer_at(const Json& json, const char* key);
std::optional<int> maybe_small_integer_at(const Json& json, const char* key);
std::optional<Duration> maybe_duration_at(const Json& json, const char* key);

/// null for nullopt.
template <class T> Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}
inline Json or_null(const std::optional<Duration>& value) {
  return value ? Json(value->count()) : Json(nullptr);
}

} // namespace belay::agent
