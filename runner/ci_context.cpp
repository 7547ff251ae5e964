// SPDX-License-Identifier: Apache-2.0
#include "runner/ci_context.h"

#include <array>
#include <cstdlib>
#include <string_view>

namespace belay::runner {

namespace {

/// The variables that a CI system documents for its jobs.
struct CiSystem {
  std::string_view kind;
  const char* marker; ///< set where this system runs us
  const char* actor;
  const char* url; ///< nullptr: see github_url
  const char* run_id;
  const char* attempt;
};

constexpr std::array<CiSystem, 8> systems = {{
    {"gitea", "GITEA_ACTIONS", "GITHUB_ACTOR", nullptr, "GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT"},
    {"forgejo", "FORGEJO_ACTIONS", "GITHUB_ACTOR", nullptr, "GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT"},
    {"github", "GITHUB_ACTIONS", "GITHUB_ACTOR", nullptr, "GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT"},
    {"gitlab", "GITLAB_CI", "GITLAB_USER_LOGIN", "CI_JOB_URL", "CI_PIPELINE_ID", nullptr},
    {"buildkite", "BUILDKITE", "BUILDKITE_BUILD_CREATOR", "BUILDKITE_BUILD_URL",
     "BUILDKITE_BUILD_ID", "BUILDKITE_RETRY_COUNT"},
    {"circleci", "CIRCLECI", "CIRCLE_USERNAME", "CIRCLE_BUILD_URL", "CIRCLE_WORKFLOW_ID", nullptr},
    {"azure", "TF_BUILD", "BUILD_REQUESTEDFOR", nullptr, "BUILD_BUILDID", "SYSTEM_JOBATTEMPT"},
    {"jenkins", "JENKINS_URL", "BUILD_USER_ID", "BUILD_URL", "BUILD_ID", nullptr},
}};

std::string value_of(const Environment& environment, const char* name) {
  return name == nullptr ? std::string() : environment(name).value_or("");
}

std::string github_url(const Environment& environment) {
  const auto server = environment("GITHUB_SERVER_URL");
  const auto repository = environment("GITHUB_REPOSITORY");
  const auto run = environment("GITHUB_RUN_ID");
  return server && repository && run ? *server + "/" + *repository + "/actions/runs/" + *run : "";
}

} // namespace

std::optional<std::string> environment_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str()); // NOLINT: nobody sets variables in this program
  return value == nullptr || *value == '\0' ? std::nullopt : std::optional<std::string>(value);
}

event::RunStarted::Trigger detect_trigger(const Environment& environment) {
  for (const auto& system : systems) {
    if (!environment(system.marker)) {
      continue;
    }
    event::RunStarted::Trigger trigger;
    trigger.kind = trigger.provider = system.kind;
    trigger.actor = value_of(environment, system.actor);
    trigger.url =
        system.url != nullptr ? value_of(environment, system.url) : github_url(environment);
    trigger.run_id = value_of(environment, system.run_id);
    trigger.attempt = value_of(environment, system.attempt);
    return trigger;
  }
  event::RunStarted::Trigger trigger;
  trigger.kind = environment("CI") ? "ci" : "manual";
  trigger.actor = value_of(environment, "USER");
  return trigger;
}

std::string detect_revision(const Environment& environment) {
  for (const auto* name : {"GITHUB_SHA", "CI_COMMIT_SHA", "BUILDKITE_COMMIT", "CIRCLE_SHA1",
                           "BUILD_SOURCEVERSION", "GIT_COMMIT"}) {
    if (const auto value = environment(name)) {
      return *value;
    }
  }
  return {};
}

} // namespace belay::runner
