// SPDX-License-Identifier: Apache-2.0
#include "runner/load_plan.h"

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/text.h"
#include "engine/plan/target.h"
#include "runner/url_secrets.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <pwd.h>
#include <unistd.h>

namespace belay::runner {
namespace {

constexpr const char* default_plan_file = "belay.yaml";
constexpr std::size_t largest_plan_file = 64 << 20;

std::optional<std::string> plan_file_of(const LoadOptions& options) {
  std::error_code ignored;
  if (options.plan_file) {
    return options.plan_file;
  }
  return std::filesystem::exists(default_plan_file, ignored) ? std::optional(default_plan_file)
                                                             : std::nullopt;
}

template <class T>
const std::optional<T>& either(const std::optional<T>& a, const std::optional<T>& b) {
  return a ? a : b;
}

} // namespace

LoadedPlan::LoadedPlan(const LoadOptions& options)
    : overrides_(options.overrides), nix_arguments_(options.nix_arguments) {
  if (const auto path = plan_file_of(options)) {
    file_ = plan::load_plan_file(*path, problems_);
  }
  choose_targets();
  find_secrets(plan_file_of(options));
}

/// Also in what is wrong, which will be quoted: so it is the plan file's text that is looked
/// through.
void LoadedPlan::find_secrets(const std::optional<std::string>& plan_file) {
  std::vector<std::string> texts = overrides_.targets;
  texts.push_back(overrides_.file.value_or(""));
  texts.insert(texts.end(), nix_arguments_.begin(), nix_arguments_.end());
  try {
    texts.push_back(plan_file ? read_file(*plan_file, largest_plan_file) : "");
  } catch (const Error&) { // that it cannot be read is a problem already
  }
  secrets_ = url_secrets(join(texts, "\n"));
}

/// A plan file that names no target because what it names is wrong must not lead to the default.
void LoadedPlan::choose_targets() {
  const bool from_line = !overrides_.targets.empty() || overrides_.file;
  const bool unreadable = file() && !file()->was_read;
  const bool wrong = file() && file()->targets_mark && file()->targets.empty();
  if (!from_line && (unreadable || wrong)) {
    return;
  }
  targets_ = plan::selected_targets(overrides_, file());
}

std::string LoadedPlan::file_name() const {
  return file() ? file()->name : "";
}

std::string LoadedPlan::environment() const {
  return file() ? file()->environment.value_or("") : "";
}

plan::Seconds LoadedPlan::deadline() const {
  const auto in_file = file() ? file()->deadline : std::nullopt;
  return overrides_.deadline.value_or(in_file.value_or(plan::Policy().deadline));
}

plan::Reports LoadedPlan::reports() const {
  const plan::Reports& line = overrides_.reports;
  plan::Reports reports = line;
  if (file()) {
    reports.events = either(line.events, file()->reports.events);
    reports.junit = either(line.junit, file()->reports.junit);
  }
  return reports;
}

std::vector<plan::Webhook> LoadedPlan::webhooks() const {
  return file() ? file()->webhooks : std::vector<plan::Webhook>{};
}

std::set<std::string> LoadedPlan::sudo_password_variables() const {
  std::set<std::string> names;
  const auto add = [&](const plan::Settings& settings) {
    if (settings.sudo_password_env) {
      names.insert(*settings.sudo_password_env);
    }
  };
  if (file()) {
    add(file()->settings);
    for (const auto& [name, node] : file()->nodes) {
      add(node.settings);
      for (const auto& [inner, profile] : node.profiles) {
        add(profile.settings);
      }
    }
  }
  return names;
}

std::vector<std::string> LoadedPlan::flakes() const {
  std::vector<std::string> flakes;
  for (const plan::Target& target : targets_) {
    if (std::find(flakes.begin(), flakes.end(), target.flake) == flakes.end()) {
      flakes.push_back(target.flake);
    }
  }
  return flakes;
}

std::vector<nix::EvaluateRequest> LoadedPlan::evaluations() const {
  std::vector<nix::EvaluateRequest> requests;
  for (const std::string& flake : flakes()) {
    nix::EvaluateRequest& request = requests.emplace_back();
    request.flake = flake;
    request.kind = overrides_.file ? plan::SourceKind::file : plan::SourceKind::flake;
    request.nix_arguments = nix_arguments_;
    std::copy_if(targets_.begin(), targets_.end(), std::back_inserter(request.selection),
                 [&](const plan::Target& target) { return target.flake == flake; });
  }
  return requests;
}

void LoadedPlan::add_evaluation(const std::string& flake, const std::string& json) {
  outputs_.push_back(plan::parse_flake_output(json, flake, problems_));
}

plan::Plan LoadedPlan::resolve() {
  plan::ResolveInput input;
  input.overrides = overrides_;
  input.file = file();
  input.targets = targets_;
  input.flakes = outputs_;
  input.local_user = local_user();
  return plan::resolve(input, problems_);
}

PlanSource::Made LoadedPlan::make(nix::NixStore& store, const nix::ProgressSink& sink,
                                  const Wait& wait) {
  Made made;
  made.evaluation_error = evaluate_all(*this, store, sink, wait);
  if (!made.evaluation_error) {
    made.plan = resolve();
    for (plan::Diagnostic& problem : check_paths(made.plan, store, wait)) {
      problems_.push_back(std::move(problem));
    }
    if (auto warning = warn_of_remote_builds(made.plan, nix_arguments_)) {
      problems_.push_back(std::move(*warning));
    }
  }
  return made;
}

std::optional<std::string> evaluate_all(LoadedPlan& loaded, nix::NixStore& store,
                                        const nix::ProgressSink& sink, const Wait& wait) {
  std::optional<std::string> problem;
  for (const nix::EvaluateRequest& request : loaded.evaluations()) {
    try {
      loaded.add_evaluation(request.flake, store.evaluate(request, sink, wait));
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::cancelled || error.kind() == ErrorKind::deadline_exceeded) {
        throw;
      }
      problem = (problem ? *problem + "\n" : "") + error.message();
    }
  }
  return problem;
}

plan::Diagnostics check_paths(const plan::Plan& plan, nix::NixStore& store, const Wait& wait) {
  std::vector<StorePath> paths;
  plan::Diagnostics problems;
  for (const plan::Node& node : plan.nodes) {
    for (const plan::Profile& profile : node.profiles) {
      if (!profile.derivation && !node.skip) {
        paths.push_back(profile.path);
        plan::Diagnostic problem;
        problem.code = "path-not-valid";
        problem.message = plan::target_of(node) + "." + plan::nix_attribute(profile.name) +
                          ": path " + profile.path.string() +
                          " is not in the store, and no derivation builds it";
        problem.hint = "make it the output of a derivation, or add it to the store first";
        problems.push_back(std::move(problem));
      }
    }
  }
  const std::vector<bool> valid = paths.empty() ? std::vector<bool>{} : store.valid(paths, wait);
  plan::Diagnostics invalid;
  for (std::size_t i = 0; i < valid.size(); ++i) {
    if (!valid[i]) {
      invalid.push_back(std::move(problems[i]));
    }
  }
  return invalid;
}

std::optional<plan::Diagnostic>
warn_of_remote_builds(const plan::Plan& plan, const std::vector<std::string>& nix_arguments) {
  std::vector<std::string> there;
  for (const plan::Node& node : plan.nodes) {
    const bool any = std::any_of(node.profiles.begin(), node.profiles.end(),
                                 [](const plan::Profile& profile) { return profile.remote_build; });
    if (any && !node.skip) {
      there.push_back(node.name);
    }
  }
  if (nix_arguments.empty() || there.empty()) {
    return std::nullopt;
  }
  plan::Diagnostic warning;
  warning.severity = plan::Diagnostic::Severity::warning;
  warning.code = "nix-args-not-remote";
  warning.message =
      "what stands after -- is for the Nix of this machine: it does not reach the "
      "builds on " +
      there.front() +
      (there.size() == 1 ? "" : " and " + std::to_string(there.size() - 1) + " more") +
      ", which has remoteBuild; its own nix.conf says how it builds";
  return warning;
}

std::string local_user() {
  if (const char* name = std::getenv("USER"); name && *name != '\0') {
    return name;
  }
  std::array<char, 16384> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  getpwuid_r(geteuid(), &entry, buffer.data(), buffer.size(), &found);
  return found ? found->pw_name : "";
}

} // namespace belay::runner
