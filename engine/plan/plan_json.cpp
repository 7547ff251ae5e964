// SPDX-License-Identifier: Apache-2.0
#include "engine/plan/plan_json.h"

#include "engine/plan/plan_fields.h"

#include <nlohmann/json.hpp>

namespace belay::plan {
namespace {

using nlohmann::json;

/// The path of a webhook's URL is often its secret.
std::string origin_of(const std::string& url) {
  const auto scheme = url.find("://");
  const auto host = scheme == std::string::npos ? 0 : scheme + 3;
  const auto end = url.find_first_of("/?#", host);
  const std::string authority = url.substr(host, end == std::string::npos ? end : end - host);
  const auto login = authority.rfind('@');
  return url.substr(0, host) +
         (login == std::string::npos ? authority : authority.substr(login + 1));
}

template <class Struct> json written(const Struct& value);

/// Takes fields into an object.
class Writer {
public:
  template <class T> void operator()(const char* name, const T& value) {
    object_[name] = form(value);
  }
  template <class T> void operator()(const char* name, const T& value, Range) {
    object_[name] = form(value);
  }

  void text_or_null(const char* name, const std::string& value) {
    object_[name] = value.empty() ? json(nullptr) : json(value);
  }
  template <class T> void derived(const char* name, const T& value) { object_[name] = value; }
  void origin(const char* name, const std::optional<std::string>& url) {
    object_[name] = url ? json(origin_of(*url)) : json(nullptr);
  }
  void secret(const char* variable, const char* file, const std::optional<SecretSource>& source) {
    const auto named = [&](SecretSource::Kind kind) {
      return source && source->kind == kind ? json(source->name) : json(nullptr);
    };
    object_[variable] = named(SecretSource::Kind::variable);
    object_[file] = named(SecretSource::Kind::file);
  }
  template <class T> void left_out(const T&) {}

  json take() { return std::move(object_); }

private:
  static json form(const std::string& value) { return value; }
  static json form(bool value) { return value; }
  static json form(int value) { return value; }
  static json form(Seconds value) { return value.count(); }
  static json form(const StorePath& value) { return value.string(); }
  template <class T> static json form(const std::optional<T>& value) {
    return value ? form(*value) : json(nullptr);
  }
  template <class T> static json form(const std::vector<T>& values) {
    json list = json::array();
    for (const T& value : values) {
      list.push_back(form(value));
    }
    return list;
  }
  template <class Choice>
  requires std::is_enum_v<Choice>
  static json form(Choice value) { return names_of<Choice>()[static_cast<std::size_t>(value)]; }
  template <class Struct>
  requires std::is_aggregate_v<Struct>
  static json form(const Struct& value) { return written(value); }

  json object_ = json::object();
};

template <class Struct> json written(const Struct& value) {
  Writer writer;
  each_field(writer, value);
  return writer.take();
}

} // namespace

json to_json(const Plan& plan) {
  return written(plan);
}

std::string plan_to_json(const Plan& plan) {
  return to_json(plan).dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

} // namespace belay::plan
