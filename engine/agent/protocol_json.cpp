// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/protocol_json.h"

#include "engine/base/error.h"

namespace belay::agent {

namespace {

constexpr std::chrono::seconds longest_timeout = std::chrono::days(30);

std::chrono::seconds timeout_at(const Json& json, const char* key) {
  const auto count = integer_at(json, key);
  if (count < 0 || count > longest_timeout.count()) {
    throw Error(ErrorKind::protocol, "field \"" + std::string(key) + "\" is out of range");
  }
  return std::chrono::seconds(count);
}

Json to_json(const PrepareRequest::Profile& profile) {
  return {{"name", profile.name},
          {"profile_path", or_null(profile.profile_path)},
          {"closure", profile.closure},
          {"auto_rollback", profile.auto_rollback},
          {"magic_rollback", profile.magic_rollback},
          {"confirm_timeout_s", profile.confirm_timeout.count()},
          {"activation_timeout_s", profile.activation_timeout.count()},
          {"boot_after_confirm", profile.boot_after_confirm},
          {"mode", name_of(profile.mode)},
          {"canary_folder", or_null(profile.canary_folder)}};
}

Mode mode_at(const Json& json) {
  const auto name = maybe_text_at(json, "mode").value_or(std::string(name_of(Mode::activate)));
  const auto mode = mode_from(name);
  if (!mode) {
    unknown("mode", name);
  }
  return *mode;
}

PrepareRequest::Profile prepare_profile_from(const Json& json) {
  return {.name = text_at(json, "name"),
          .profile_path = maybe_text_at(json, "profile_path"),
          .closure = text_at(json, "closure"),
          .auto_rollback = flag_at(json, "auto_rollback"),
          .magic_rollback = flag_at(json, "magic_rollback"),
          .confirm_timeout = timeout_at(json, "confirm_timeout_s"),
          .activation_timeout = timeout_at(json, "activation_timeout_s"),
          // Not there in the record or request of an older one.
          .boot_after_confirm = maybe_flag_at(json, "boot_after_confirm").value_or(false),
          .mode = mode_at(json),
          .canary_folder = maybe_text_at(json, "canary_folder")};
}

} // namespace

Json to_json(const Generation& generation) {
  return {{"number", or_null(generation.number)}, {"path", generation.path}};
}

Generation generation_from(const Json& json) {
  return {.number = maybe_small_integer_at(json, "number"), .path = text_at(json, "path")};
}

Json to_json(const ProfileStatus& status) {
  return {{"name", status.name},
          {"profile_path", status.profile_path},
          {"state", name_of(status.state)},
          {"reason", status.reason},
          {"message", status.message},
          {"recorded", to_json(status.recorded)},
          {"current", to_json(status.current)},
          {"made", or_null(status.made)},
          {"closure", status.closure},
          {"closure_matches", status.closure_matches},
          {"exit_status", or_null(status.exit_status)},
          {"signal", or_null(status.signal)},
          {"script_duration_ms", or_null(status.script_duration)},
          {"confirm_left_ms", or_null(status.confirm_left)}};
}

ProfileStatus profile_status_from(const Json& json) {
  const auto state = state_from(text_at(json, "state"));
  if (!state) {
    unknown("state", text_at(json, "state"));
  }
  return {.name = text_at(json, "name"),
          .profile_path = text_at(json, "profile_path"),
          .state = *state,
          .reason = text_at(json, "reason"),
          .message = text_at(json, "message"),
          .recorded = generation_from(object_at(json, "recorded")),
          .current = generation_from(object_at(json, "current")),
          .made = maybe_small_integer_at(json, "made"),
          .closure = maybe_text_at(json, "closure").value_or(""),
          .closure_matches = flag_at(json, "closure_matches"),
          .exit_status = maybe_small_integer_at(json, "exit_status"),
          .signal = maybe_text_at(json, "signal"),
          .script_duration = maybe_duration_at(json, "script_duration_ms"),
          .confirm_left = maybe_duration_at(json, "confirm_left_ms")};
}

Json to_json(const PrepareRequest& request) {
  auto profiles = Json::array();
  for (const auto& profile : request.profiles) {
    profiles.push_back(to_json(profile));
  }
  return {{"run", request.run},
          {"node", request.node},
          {"holder_url", request.holder_url},
          {"agent", request.agent},
          {"profiles", std::move(profiles)}};
}

PrepareRequest prepare_request_from(const Json& json) {
  PrepareRequest request{.run = text_at(json, "run"),
                         .node = maybe_text_at(json, "node").value_or(""),
                         .holder_url = text_at(json, "holder_url"),
                         .agent = text_at(json, "agent"),
                         .profiles = {}};
  for (const auto& profile : array_at(json, "profiles")) {
    request.profiles.push_back(prepare_profile_from(profile));
  }
  return request;
}

Json details_json(const std::map<std::string, std::string>& details) {
  auto json = Json::object();
  for (const auto& [name, value] : details) {
    json[name] = value;
  }
  return json;
}

std::map<std::string, std::string> details_from(const Json& json) {
  std::map<std::string, std::string> details;
  for (const auto& [name, value] : json.items()) {
    details[name] = text_at(json, name.c_str());
  }
  return details;
}

} // namespace belay::agent
