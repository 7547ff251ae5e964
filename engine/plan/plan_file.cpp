// SPDX-License-Identifier: Apache-2.0
#include "engine/plan/plan_file.h"

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/text.h"
#include "engine/plan/plan_file_keys.h"

#include <filesystem>

namespace belay::plan {
namespace {

constexpr std::size_t file_size_limit = 4 * 1024 * 1024;

std::string folder_of(const std::string& name) {
  return std::filesystem::path(name).parent_path().string();
}

std::string relative_path(const std::string& folder, const std::string& path) {
  return folder.empty() || path.starts_with('/')
             ? path
             : (std::filesystem::path(folder) / path).lexically_normal().string();
}

void make_relative(const std::string& folder, std::optional<std::string>& path) {
  if (path) {
    path = relative_path(folder, *path);
  }
}

/// `.`, `./x` and `../x`, also behind `path:`, are paths; anything else is a name or a URL.
std::string relative_flake(const std::string& folder, const std::string& target) {
  const std::string scheme = target.starts_with("path:") ? "path:" : "";
  const std::size_t end = target.find_first_of("?#");
  const std::string path = target.substr(scheme.size(), end - scheme.size());
  const std::string rest = end == std::string::npos ? "" : target.substr(end);
  const bool is_relative = path == "." || path == ".." || path.starts_with("./") ||
                           path.starts_with("../") || (path.empty() && scheme.empty());
  if (!is_relative || folder.empty()) {
    return target;
  }
  std::string joined = relative_path(folder, path.empty() ? "." : path);
  while (joined.size() > 1 && joined.ends_with('/')) {
    joined.pop_back();
  }
  // Without a dot or a slash in front Nix would look a folder's name up in its registry.
  const bool is_path = joined.starts_with('/') || joined == "." || joined == ".." ||
                       joined.starts_with("./") || joined.starts_with("../");
  return scheme + (is_path ? "" : "./") + joined + rest;
}

void take_targets(RawPlanFile& raw, Problems& problems) {
  const Mark mark = raw.file.targets_mark.value_or(Mark{});
  if (raw.flake && raw.targets) {
    problems.error("flake-and-targets", "both flake and targets are there", mark,
                   "keep one of them");
  }
  const std::string folder = folder_of(raw.file.name);
  std::vector<std::string> targets =
      raw.targets ? *raw.targets
                  : std::vector<std::string>(raw.flake ? 1 : 0, raw.flake.value_or(""));
  for (std::string& target : targets) {
    const std::string relative = relative_flake(folder, target);
    if (relative != target && folder.find_first_of("#?") != std::string::npos) {
      problems.error("bad-folder", "a relative flake cannot be named from a folder with # or ?",
                     mark, "write the flake as an absolute URL");
    }
    target = relative;
  }
  raw.file.targets = std::move(targets);
}

void make_paths_relative(PlanFile& file) {
  const std::string folder = folder_of(file.name);
  if (file.reports.events && *file.reports.events != "-" &&
      !file.reports.events->starts_with("fd:")) {
    make_relative(folder, file.reports.events);
  }
  make_relative(folder, file.reports.junit);
  for (Webhook& webhook : file.webhooks) {
    make_relative(folder, webhook.url_file);
    make_relative(folder, webhook.secret_file);
  }
  make_relative(folder, file.settings.sudo_password_file);
  for (auto& [name, node] : file.nodes) {
    make_relative(folder, node.settings.sudo_password_file);
    for (auto& [inner, profile] : node.profiles) {
      make_relative(folder, profile.settings.sudo_password_file);
    }
  }
}

/// Only type and key are kept of a line that also has a comment.
void trim_host_keys(PlanFile& file) {
  for (auto& [name, node] : file.nodes) {
    if (node.host_key) {
      const auto words = split_white_space(*node.host_key);
      node.host_key = words[0] + " " + words[1];
    }
  }
}

PlanFile finish(RawPlanFile raw, Problems& problems) {
  if (!raw.version) {
    problems.error("missing-version", "the key \"version\" is missing", {1, 1}, "add version: 1");
  }
  if (raw.on_failure) {
    raw.file.on_failure = *raw.on_failure == "stop" ? OnFailure::stop : OnFailure::proceed;
  }
  take_targets(raw, problems);
  make_paths_relative(raw.file);
  trim_host_keys(raw.file);
  return std::move(raw.file);
}

} // namespace

PlanFile parse_plan_file(std::string_view text, const std::string& name, Diagnostics& list) {
  Problems problems(name, list);
  RawPlanFile raw;
  raw.file.name = name;
  const YamlPointer root = parse_yaml(text, problems);
  if (!root) {
    return std::move(raw.file);
  }
  if (root->kind == YamlNode::Kind::null) {
    problems.error("empty-file", "the plan file is empty", {1, 1}, "add version: 1");
    return std::move(raw.file);
  }
  if (root->kind != YamlNode::Kind::map) {
    problems.error("wrong-type", "a plan file is a map of keys, found " + root->describe(),
                   root->mark);
    return std::move(raw.file);
  }
  raw.file.was_read = true;
  read_section(*root, top_section(), "", raw, problems);
  return finish(std::move(raw), problems);
}

PlanFile load_plan_file(const std::string& path, Diagnostics& problems) {
  std::string text;
  try {
    text = read_file(path, file_size_limit);
  } catch (const Error& error) {
    PlanFile file;
    file.name = path;
    problems.push_back({Diagnostic::Severity::error, "unreadable-file",
                        "the plan file cannot be read: " + error.message(), path, 0, 0, ""});
    return file;
  }
  return parse_plan_file(text, path, problems);
}

std::string plan_schema() {
  nlohmann::json schema = section_schema(top_section(), "A deployment by belay (belay.yaml).");
  schema["$schema"] = "http://json-schema.org/draft-07/schema#";
  schema["title"] = "belay plan file";
  schema["required"] = {"version"};
  schema["not"] = {{"required", {"flake", "targets"}}};
  return schema.dump(2) + "\n";
}

} // namespace belay::plan
