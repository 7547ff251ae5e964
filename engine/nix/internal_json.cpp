// SPDX-License-Identifier: Apache-2.0
#include "engine/nix/internal_json.h"

#include "engine/base/text.h"

#include <nlohmann/json.hpp>

namespace belay::nix {

namespace {

using nlohmann::json;

constexpr std::string_view marker = "@nix ";
constexpr std::int64_t build_log_line = 101;
constexpr std::int64_t post_build_log_line = 107;
constexpr std::int64_t set_expected = 106;
constexpr std::size_t longest_plain_line = 4096; // of what we do not understand

std::int64_t number(const json& object, const char* key, std::int64_t otherwise) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_integer()) {
    return otherwise;
  }
  return found->get<std::int64_t>();
}

std::string string(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string first_field(const json& object) {
  const auto fields = object.find("fields");
  if (fields == object.end() || !fields->is_array() || fields->empty() ||
      !fields->front().is_string()) {
    return {};
  }
  return fields->front().get<std::string>();
}

LogRecord plain(std::string_view line) {
  LogRecord record;
  record.kind = LogRecord::Kind::text;
  record.text = clean_text(line.substr(0, longest_plain_line));
  return record;
}

/// fields: [type, number]
LogRecord read_expected(const json& object, LogRecord record) {
  const auto fields = object.find("fields");
  if (fields != object.end() && fields->is_array() && fields->size() == 2 &&
      fields->front().is_number_integer() && fields->back().is_number_integer()) {
    record.kind = LogRecord::Kind::expected;
    record.type = fields->front().get<std::int64_t>();
    record.number = fields->back().get<std::int64_t>();
  }
  return record;
}

LogRecord read_result(const json& object, LogRecord record) {
  if (record.type == set_expected) {
    return read_expected(object, std::move(record));
  }
  if (record.type == build_log_line || record.type == post_build_log_line) {
    record.kind = LogRecord::Kind::log_line;
    record.text = clean_text(first_field(object));
  }
  return record;
}

LogRecord read_object(const json& object) {
  LogRecord record;
  record.id = number(object, "id", 0);
  record.level = number(object, "level", 0);
  record.type = number(object, "type", -1);
  const std::string action = string(object, "action");
  if (action == "result") {
    return read_result(object, std::move(record));
  }
  if (action == "msg") {
    record.kind = LogRecord::Kind::message;
    record.text = clean_text(string(object, "msg"));
  } else if (action == "start") {
    record.kind = LogRecord::Kind::start;
    record.subject = first_field(object);
    record.text = clean_text(string(object, "text"));
  } else if (action == "stop") {
    record.kind = LogRecord::Kind::stop;
  }
  return record;
}

} // namespace

LogRecord parse_log_line(std::string_view line) {
  if (!line.starts_with(marker)) {
    return plain(line);
  }
  const std::string body = valid_utf8(line.substr(marker.size()));
  const json object = json::parse(body, nullptr, false);
  return object.is_object() ? read_object(object) : plain(line);
}

} // namespace belay::nix
