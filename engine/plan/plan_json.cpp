// SPDX-License-Identifier: Apache-2.0
#include "engine/plan/plan.h"

#include "engine/plan/target.h"

#include <nlohmann/json.hpp>

// Fields are always there, null stands for none, names are those of the events (snake_case), times
// are seconds. No secret can be in it: a webhook shows where its URL comes from, not the URL.

namespace belay::plan {
namespace {

using nlohmann::json;

template <class T> json or_null(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}

json source_of(const Profile& profile, SecretSource::Kind kind) {
  const auto& source = profile.sudo_password;
  return source && source->kind == kind ? json(source->name) : json(nullptr);
}

json to_json(const Profile& profile) {
  return {{"name", profile.name},
          {"path", profile.path.string()},
          {"derivation", profile.derivation ? json(profile.derivation->string()) : json(nullptr)},
          {"profile_path", or_null(profile.profile_path)},
          {"user", profile.user},
          {"ssh_user", profile.login.user.empty() ? json(nullptr) : json(profile.login.user)},
          {"ssh_opts", profile.login.options},
          {"transport", name_of(profile.login.transport)},
          {"sudo", profile.sudo},
          {"sudo_password_env", source_of(profile, SecretSource::Kind::variable)},
          {"sudo_password_file", source_of(profile, SecretSource::Kind::file)},
          {"auto_rollback", profile.auto_rollback},
          {"magic_rollback", profile.magic_rollback},
          {"confirm_timeout_s", profile.confirm_timeout.count()},
          {"activation_timeout_s", profile.activation_timeout.count()},
          {"boot_default", name_of(profile.boot_default)},
          {"fast_connection", profile.fast_connection}};
}

json to_json(const Node& node) {
  json profiles = json::array();
  for (const Profile& profile : node.profiles) {
    profiles.push_back(to_json(profile));
  }
  return {{"id", node.name},
          {"target", target_of(node)},
          {"host", node.hostname},
          {"host_key", or_null(node.host_key)},
          {"skip", node.skip},
          {"evaluation_error", or_null(node.evaluation_error)},
          {"unevaluated_profiles", node.unevaluated_profiles},
          {"profiles", std::move(profiles)}};
}

json to_json(const Policy& policy) {
  return {{"on_failure", policy.on_failure == OnFailure::stop ? "stop" : "continue"},
          {"rollback_succeeded", policy.rollback_succeeded},
          {"parallel", policy.parallel},
          {"grace_s", policy.grace.count()},
          {"limits",
           {{"evaluate", policy.limits.evaluate},
            {"build", policy.limits.build},
            {"copy", policy.limits.copy},
            {"activate", policy.limits.activate}}}};
}

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

json to_json(const Webhook& webhook) {
  return {{"url_origin", webhook.url ? json(origin_of(*webhook.url)) : json(nullptr)},
          {"url_env", or_null(webhook.url_env)},
          {"url_file", or_null(webhook.url_file)},
          {"secret_env", or_null(webhook.secret_env)},
          {"secret_file", or_null(webhook.secret_file)},
          {"events", webhook.events},
          {"allow_http", webhook.allow_http},
          {"timeout_s", webhook.timeout.count()}};
}

} // namespace

std::string plan_to_json(const Plan& plan) {
  json nodes = json::array();
  for (const Node& node : plan.nodes) {
    nodes.push_back(to_json(node));
  }
  json webhooks = json::array();
  for (const Webhook& webhook : plan.webhooks) {
    webhooks.push_back(to_json(webhook));
  }
  const json result{
      {"version", 1},
      {"plan", plan.file.empty() ? json(nullptr) : json(plan.file)},
      {"environment", plan.environment.empty() ? json(nullptr) : json(plan.environment)},
      {"flakes", plan.flakes},
      {"nodes", std::move(nodes)},
      {"policy", to_json(plan.policy)},
      {"reports",
       {{"events", or_null(plan.reports.events)}, {"junit", or_null(plan.reports.junit)}}},
      {"webhooks", std::move(webhooks)}};
  return result.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

} // namespace belay::plan
