// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/plan/plan.h"
#include "engine/plan/setting_keys.h"

#include <type_traits>

// The JSON form of a plan, field by field: one list for who writes it and for who reads it, so that
// neither can know a field that the other does not. Each list first takes its struct apart, and a
// member that is added to the struct and not named here does not compile; what the list then leaves
// out on purpose says so.
//
// Names are those of the events (snake_case), times are seconds. No secret can be in it: a webhook
// shows where its URL comes from, not the URL.

namespace belay::plan {

/// As deploy-rs keeps them, and as the plan file's keys of the same meaning have them.
inline constexpr Range count_range{1, 10'000};
inline constexpr Range grace_seconds{0, 3'600};
inline constexpr Range lock_wait_seconds{0, 86'400};
inline constexpr Range deadline_seconds{0, 604'800};
inline constexpr Range attempt_seconds{1, 60};

template <class Value, class Struct>
concept Is = std::is_same_v<std::remove_const_t<Value>, Struct>;

template <class Fields, Is<Profile> Value> void each_field(Fields& fields, Value& profile) {
  auto& [name, path, derivation, profile_path, user, login, sudo, mode, auto_rollback,
         magic_rollback, confirm_timeout, activation_timeout, boot_default, fast_connection,
         remote_build, store_sudo, sudo_password, signing_key] = profile;
  auto& [ssh_user, ssh_opts, transport] = login;
  fields("name", name);
  fields("path", path);
  fields("derivation", derivation);
  fields("profile_path", profile_path);
  fields("user", user);
  fields.text_or_null("ssh_user", ssh_user);
  fields("ssh_opts", ssh_opts);
  fields("transport", transport);
  fields("sudo", sudo);
  fields.secret("sudo_password_env", "sudo_password_file", sudo_password);
  fields("mode", mode);
  fields("auto_rollback", auto_rollback);
  fields("magic_rollback", magic_rollback);
  fields("confirm_timeout_s", confirm_timeout, timeout_range);
  fields("activation_timeout_s", activation_timeout, timeout_range);
  fields("boot_default", boot_default);
  fields("fast_connection", fast_connection);
  fields("remote_build", remote_build);
  fields("store_sudo", store_sudo);
  fields.left_out(signing_key); // of who deploys
}

template <class Fields, Is<Node> Value> void each_field(Fields& fields, Value& node) {
  auto& [name, flake, hostname, host_key, profiles, unevaluated_profiles, evaluation_error, skip] =
      node;
  fields("id", name);
  fields("flake", flake);
  fields.derived("target", target_of(node));
  fields("host", hostname);
  fields("host_key", host_key);
  fields("skip", skip);
  fields("evaluation_error", evaluation_error);
  fields("unevaluated_profiles", unevaluated_profiles);
  fields("profiles", profiles);
}

template <class Fields, Is<Limits> Value> void each_field(Fields& fields, Value& limits) {
  auto& [evaluate, build, copy, activate] = limits;
  fields("evaluate", evaluate, count_range);
  fields("build", build, count_range);
  fields("copy", copy, count_range);
  fields("activate", activate, count_range);
}

template <class Fields, Is<Policy> Value> void each_field(Fields& fields, Value& policy) {
  auto& [mode, on_failure, rollback_succeeded, parallel, limits, grace, lock_wait, deadline] =
      policy;
  fields("mode", mode);
  fields("on_failure", on_failure);
  fields("rollback_succeeded", rollback_succeeded);
  fields("parallel", parallel, count_range);
  fields("limits", limits);
  fields("grace_s", grace, grace_seconds);
  fields("lock_wait_s", lock_wait, lock_wait_seconds);
  fields("deadline_s", deadline, deadline_seconds);
}

template <class Fields, Is<Reports> Value> void each_field(Fields& fields, Value& reports) {
  auto& [events, junit, log_folder, log_on_console, progress] = reports;
  fields("events", events);
  fields("junit", junit);
  fields.left_out(log_folder); // what one wants to see is of the run, not of the plan
  fields.left_out(log_on_console);
  fields.left_out(progress);
}

template <class Fields, Is<Webhook> Value> void each_field(Fields& fields, Value& webhook) {
  auto& [url, url_env, url_file, secret_env, secret_file, events, allow_http, timeout, line] =
      webhook;
  fields.origin("url_origin", url);
  fields("url_env", url_env);
  fields("url_file", url_file);
  fields("secret_env", secret_env);
  fields("secret_file", secret_file);
  fields("events", events);
  fields("allow_http", allow_http);
  fields("timeout_s", timeout, attempt_seconds);
  fields.left_out(line); // a place in a file that the reader may not have
}

template <class Fields, Is<Plan> Value> void each_field(Fields& fields, Value& plan) {
  auto& [file, environment, flakes, nodes, policy, reports, webhooks] = plan;
  fields.derived("version", 1);
  fields.text_or_null("plan", file);
  fields.text_or_null("environment", environment);
  fields("flakes", flakes);
  fields("nodes", nodes);
  fields("policy", policy);
  fields("reports", reports);
  fields("webhooks", webhooks);
}

} // namespace belay::plan
