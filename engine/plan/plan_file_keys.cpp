// SPDX-License-Identifier: Apache-2.0
#include "engine/plan/plan_file_keys.h"

#include "engine/plan/text_rules.h"

#include <type_traits>

namespace belay::plan {
namespace {

/// Nodes and profiles in one run are thousands at most; this only catches slips of the keyboard.
constexpr Range parallel_range{1, 10'000};
constexpr Range grace_range{0, 3'600};
/// A day: whoever waits longer for another deploy waits for a person.
constexpr Range lock_wait_range{0, 86'400};
/// A week, above the longest job that a CI system lets run.
constexpr Range deadline_range{1, 604'800};
/// An attempt has 15 s by default (outputs are never worth a longer hold-up than a minute).
constexpr Range webhook_timeout_range{1, 60};

Key<Settings> key_of(const SettingKey& key, std::optional<bool> Settings::*member) {
  return flag_key<Settings>(key.name, member, key.description);
}
Key<Settings> key_of(const SettingKey& key, std::optional<Seconds> Settings::*member) {
  return number_key<Settings>(key.name, member, timeout_range, key.description);
}
/// One of two places of the password; both at once would leave open which one counts.
Key<Settings> password_key(const SettingKey& key, std::optional<std::string> Settings::*member,
                           std::optional<std::string> Settings::*other, TextRule rule) {
  auto made = text_key<Settings>(key.name, member, std::move(rule), key.description);
  made.read = [other, read = made.read](Settings& into, const YamlNode& value, const Where& where,
                                        Problems& problems) {
    if (into.*other) {
      problems.error("two-passwords",
                     where.describe() +
                         ": expected sudoPasswordEnv or sudoPasswordFile, found both",
                     value.mark);
    }
    read(into, value, where, problems);
  };
  return made;
}
Key<Settings> key_of(const SettingKey& key, std::optional<std::string> Settings::*member) {
  if (member == &Settings::sudo_password_env) {
    return password_key(key, member, &Settings::sudo_password_file, variable_name());
  }
  if (member == &Settings::sudo_password_file) {
    return password_key(key, member, &Settings::sudo_password_env, not_empty());
  }
  return text_key<Settings>(key.name, member, not_empty(), key.description);
}
template <class Choice>
requires std::is_enum_v<Choice> Key<Settings> key_of(const SettingKey& key,
                                                     std::optional<Choice> Settings::*member) {
  const auto names = names_of<Choice>();
  const auto rule = one_of({names.begin(), names.end()});
  return {key.name, text_schema(rule, key.description),
          [member, rule](Settings& into, const YamlNode& value, const Where& where,
                         Problems& problems) {
            if (const auto text = read_text(value, rule, where, problems)) {
              into.*member = choice_from<Choice>(*text);
            }
          }};
}
Key<Settings> key_of(const SettingKey& key,
                     std::optional<std::vector<std::string>> Settings::*member) {
  return texts_key<Settings>(key.name, member, any_text(), key.description);
}
Key<Settings> key_of(const SettingKey& key, std::vector<std::string> Settings::*member) {
  return texts_key<Settings>(key.name, member, any_text(), key.description);
}

/// A map whose keys are names from outside. `label` is "node" or "profile".
template <class T, class Inner>
Key<T> named_key(std::string_view name, std::map<std::string, Inner> T::*place,
                 const Keys<Inner>& keys, std::string label, std::string_view description) {
  auto item = section_schema(keys, "What is different for this " + label + ".");
  item["type"] = {"object", "null"};
  return {
      name,
      {{"type", "object"}, {"description", description}, {"additionalProperties", std::move(item)}},
      [place, &keys, label](T& into, const YamlNode& value, const Where& where,
                            Problems& problems) {
        if (!require_map(value, where, problems)) {
          return;
        }
        const std::string suffix = where.section.empty() ? "" : " of " + where.section;
        EntryNames names(where.key + suffix, problems);
        for (const auto& [key, inner] : value.entries) {
          const auto entry = names.take(*key);
          if (entry && require_map(*inner, {*entry, where.key + suffix}, problems)) {
            Inner& target = (into.*place)[*entry];
            target.mark = key->mark;
            read_section(*inner, keys, label + " " + in_quotes(*entry) + suffix, target, problems);
          }
        }
      }};
}

/// A receiver that is wrong somewhere is left out: half of it might be told what it should not be,
/// or without a signature.
void take_webhook(PlanFile& into, const YamlNode& item, const Where& where, std::size_t number,
                  Problems& problems) {
  const std::string section = "webhook " + std::to_string(number);
  const std::size_t before = problems.count();
  Webhook webhook;
  webhook.line = item.mark.line;
  if (require_map(item, {where.key, section}, problems)) {
    read_section(item, webhook_section(), section, webhook, problems);
    check_webhook(item, webhook, section, problems);
  }
  if (problems.count() == before) {
    into.webhooks.push_back(std::move(webhook));
  }
}

Key<PlanFile> webhooks_key() {
  return {"webhooks",
          {{"type", "array"},
           {"description", "Who is told over HTTP, in the form of Standard Webhooks."},
           {"items", section_schema(webhook_section(), "One receiver.")}},
          [](PlanFile& into, const YamlNode& value, const Where& where, Problems& problems) {
            if (!require_list(value, where, problems)) {
              return;
            }
            std::size_t number = 0;
            for (const YamlPointer& item : value.items) {
              take_webhook(into, *item, where, ++number, problems);
            }
          }};
}

Key<RawPlanFile> targets_key() {
  auto key =
      texts_key<RawPlanFile>("targets", &RawPlanFile::targets, target_text(),
                             "What to deploy: FLAKE[#NODE[.PROFILE]], several. Instead of flake.");
  key.schema["minItems"] = 1;
  key.read = [read = key.read](RawPlanFile& into, const YamlNode& value, const Where& where,
                               Problems& problems) {
    into.file.targets_mark = value.mark;
    if (value.kind == YamlNode::Kind::list && value.items.empty()) {
      problems.error("bad-value", where.describe() + ": the list is empty", value.mark,
                     "leave the key out to deploy all of the flake in this folder");
      return;
    }
    read(into, value, where, problems);
  };
  return key;
}

Key<RawPlanFile> flake_key() {
  auto key = text_key<RawPlanFile>("flake", &RawPlanFile::flake, flake_reference(),
                                   "The flake to deploy, all of its nodes. Relative to this file.");
  key.read = [read = key.read](RawPlanFile& into, const YamlNode& value, const Where& where,
                               Problems& problems) {
    if (!into.file.targets_mark) {
      into.file.targets_mark = value.mark;
    }
    read(into, value, where, problems);
  };
  return key;
}

Key<RawPlanFile> version_key() {
  Key<RawPlanFile> key{
      "version",
      {{"const", 1}, {"description", "Version of this format: 1."}},
      [](RawPlanFile& into, const YamlNode& value, const Where& where, Problems& problems) {
        const bool is_integer = value.kind == YamlNode::Kind::integer;
        into.version = is_integer && value.text == "1" ? 1 : 0;
        if (into.version != 1) {
          problems.error("bad-version",
                         where.describe() + ": expected 1, found " + value.describe(), value.mark,
                         "this belay reads version 1 only");
        }
      }};
  return key;
}

} // namespace

const Keys<Settings>& settings_section() {
  static const Keys<Settings> keys = [] {
    Keys<Settings> made;
    for (const SettingKey& key : setting_keys()) {
      made.push_back(std::visit([&](auto member) { return key_of(key, member); }, key.member));
    }
    return made;
  }();
  return keys;
}

const Keys<ProfileOverride>& profile_section() {
  static const Keys<ProfileOverride> keys = [] {
    Keys<ProfileOverride> made;
    append_lifted(made, settings_section(), &ProfileOverride::settings);
    made.push_back(text_key<ProfileOverride>(
        "profilePath", &ProfileOverride::profile_path,
        {"^/",
         [](const std::string& text) {
           return text.starts_with('/') ? std::nullopt
                                        : std::optional<std::string>("expected an absolute path");
         }},
        "Path of the profile's link on the target."));
    return made;
  }();
  return keys;
}

const Keys<NodeOverride>& node_section() {
  static const Keys<NodeOverride> keys = [] {
    Keys<NodeOverride> made{
        text_key<NodeOverride>("hostname", &NodeOverride::hostname, host_name(),
                               "Address or ssh_config alias of the host."),
        text_key<NodeOverride>("hostKey", &NodeOverride::host_key, host_key_line(),
                               "The host's public key, TYPE KEY: no other one is accepted."),
        flag_key<NodeOverride>("skip", &NodeOverride::skip, "true: leave this node out."),
        named_key("profiles", &NodeOverride::profiles, profile_section(), "profile",
                  "What is different for single profiles, by name.")};
    append_lifted(made, settings_section(), &NodeOverride::settings);
    return made;
  }();
  return keys;
}

const Keys<RawPlanFile>& limits_section() {
  static const Keys<PlanFile> inner{
      number_key<PlanFile>("evaluate", &PlanFile::limit_evaluate, parallel_range,
                           "Evaluations at once. Default: 1."),
      number_key<PlanFile>(
          "build", &PlanFile::limit_build, parallel_range,
          "Nodes that build for themselves (remoteBuild) at once. Default: parallel. What "
          "is built here is one Nix for all of them."),
      number_key<PlanFile>("copy", &PlanFile::limit_copy, parallel_range,
                           "Nodes copied to at once. Default: the lesser of parallel and 4."),
      number_key<PlanFile>("activate", &PlanFile::limit_activate, parallel_range,
                           "Nodes activating at once. Default: parallel.")};
  static const Keys<RawPlanFile> keys = [] {
    Keys<RawPlanFile> made;
    append_lifted(made, inner, &RawPlanFile::file);
    return made;
  }();
  return keys;
}

const Keys<Reports>& reports_section() {
  static const Keys<Reports> keys{
      text_key<Reports>("events", &Reports::events, not_empty(),
                        "JSON Lines: a path relative to this file, - or fd:N."),
      text_key<Reports>("junit", &Reports::junit, not_empty(),
                        "JUnit XML: a path relative to this file.")};
  return keys;
}

const Keys<Webhook>& webhook_section() {
  static const Keys<Webhook> keys{
      text_key<Webhook>("url", &Webhook::url, http_url(), "The receiver's URL."),
      text_key<Webhook>("urlEnv", &Webhook::url_env, variable_name(),
                        "Environment variable that holds the URL."),
      text_key<Webhook>("urlFile", &Webhook::url_file, not_empty(), "File that holds the URL."),
      text_key<Webhook>("secretEnv", &Webhook::secret_env, variable_name(),
                        "Environment variable that holds the signing secret."),
      text_key<Webhook>("secretFile", &Webhook::secret_file, not_empty(),
                        "File that holds the signing secret."),
      Key<Webhook>{
          "events", texts_schema(not_empty(), "Patterns of event types, such as run.* ."),
          [](Webhook& into, const YamlNode& value, const Where& where, Problems& problems) {
            if (auto texts = read_texts(value, not_empty(), where, problems)) {
              into.events = std::move(*texts);
            }
          }},
      Key<Webhook>{
          "allowHttp", flag_schema("true: the URL may be http. Default: false."),
          [](Webhook& into, const YamlNode& value, const Where& where, Problems& problems) {
            into.allow_http = read_flag(value, where, problems).value_or(false);
          }},
      Key<Webhook>{
          "timeout", number_schema(webhook_timeout_range, "Seconds for one attempt. Default: 15."),
          [](Webhook& into, const YamlNode& value, const Where& where, Problems& problems) {
            if (const auto number = read_number(value, webhook_timeout_range, where, problems)) {
              into.timeout = Seconds(*number);
            }
          }}};
  return keys;
}

const Keys<RawPlanFile>& top_section() {
  static const Keys<PlanFile> plain{
      text_key<PlanFile>("environment", &PlanFile::environment, environment_label(),
                         "Label in every report, such as production."),
      number_key<PlanFile>("parallel", &PlanFile::parallel, parallel_range,
                           "Nodes worked on at once, in each stage. Default: 8."),
      section_key<PlanFile>("settings", &PlanFile::settings, settings_section(),
                            "Settings for all nodes; they come before the flake's."),
      named_key("nodes", &PlanFile::nodes, node_section(), "node",
                "What is different for single nodes, by their name in the flake."),
      flag_key<PlanFile>("rollbackSucceeded", &PlanFile::rollback_succeeded,
                         "Roll back the confirmed nodes too when another one fails. Default: true "
                         "with onFailure: stop, else false."),
      number_key<PlanFile>("grace", &PlanFile::grace, grace_range,
                           "Seconds that activating nodes are awaited after a first signal. "
                           "Default: 6."),
      number_key<PlanFile>("lockWait", &PlanFile::lock_wait, lock_wait_range,
                           "Seconds to wait for another deploy that holds a target; 0: not at "
                           "all. Default: 60."),
      number_key<PlanFile>("deadline", &PlanFile::deadline, deadline_range,
                           "Seconds for the whole run, from its start: then nothing new is begun. "
                           "Default: none."),
      section_key<PlanFile>("reports", &PlanFile::reports, reports_section(),
                            "Which reports are written, and where."),
      webhooks_key()};
  static const Keys<RawPlanFile> keys = [] {
    Keys<RawPlanFile> made{version_key(), flake_key(), targets_key()};
    append_lifted(made, plain, &RawPlanFile::file);
    made.push_back(text_key<RawPlanFile>(
        "onFailure", &RawPlanFile::on_failure, one_of({"stop", "continue"}),
        "stop: no activation before every node is copied to, no start after a failure. continue: "
        "each node by itself. Default: stop."));
    made.push_back(
        {"limits", section_schema(limits_section(), "Limits of single stages."),
         [](RawPlanFile& into, const YamlNode& value, const Where& where, Problems& problems) {
           if (require_map(value, where, problems)) {
             read_section(value, limits_section(), where.key, into, problems);
           }
         }});
    return made;
  }();
  return keys;
}

void check_webhook(const YamlNode& map, const Webhook& webhook, const std::string& section,
                   Problems& problems) {
  // Judged by the keys that are there: a wrong value has had its own message.
  const auto count = [&](const auto&... names) {
    return std::count_if(map.entries.begin(), map.entries.end(),
                         [&](const auto& entry) { return ((entry.first->text == names) || ...); });
  };
  const auto urls = count("url", "urlEnv", "urlFile");
  if (urls != 1) {
    problems.error("bad-webhook",
                   section + ": expected exactly one of url, urlEnv and urlFile, found " +
                       (urls == 0 ? "none" : std::to_string(urls)),
                   map.mark);
  }
  if (count("secretEnv", "secretFile") > 1) {
    problems.error("bad-webhook", section + ": expected secretEnv or secretFile, found both",
                   map.mark);
  }
  if (webhook.url && webhook.url->starts_with("http://") && !webhook.allow_http) {
    problems.error("bad-webhook", section + ": url is not https", map.mark,
                   "write allowHttp: true if that is meant");
  }
}

} // namespace belay::plan
