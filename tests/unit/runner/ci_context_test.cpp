// SPDX-License-Identifier: Apache-2.0
#include "runner/ci_context.h"

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "runner/secret_source.h"
#include "runner/webhook_secrets.h"
#include "tests/catch.h"

#include <cstdlib>
#include <map>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

using namespace belay;
using namespace belay::runner;

namespace {

Environment environment_of(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

std::string message_of(const plan::Webhook& webhook, const Environment& environment) {
  try {
    fetch_webhook(webhook, environment);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::secret);
    return error.message();
  }
  return {};
}

} // namespace

TEST_CASE("a GitHub job is named with a link to its run") {
  const auto trigger = detect_trigger(environment_of({{"CI", "true"},
                                                      {"GITHUB_ACTIONS", "true"},
                                                      {"GITHUB_ACTOR", "ada"},
                                                      {"GITHUB_SERVER_URL", "https://github.com"},
                                                      {"GITHUB_REPOSITORY", "acme/infra"},
                                                      {"GITHUB_RUN_ID", "17"},
                                                      {"GITHUB_RUN_ATTEMPT", "2"}}));
  CHECK(trigger.kind == "github");
  CHECK(trigger.url == "https://github.com/acme/infra/actions/runs/17");
  CHECK(trigger.actor == "ada");
  CHECK(trigger.attempt == "2");
}

TEST_CASE("Gitea sets GitHub's variables too and is not taken for it") {
  const auto trigger =
      detect_trigger(environment_of({{"GITHUB_ACTIONS", "true"}, {"GITEA_ACTIONS", "true"}}));
  CHECK(trigger.kind == "gitea");
}

TEST_CASE("GitLab, any other CI, and a person") {
  const auto gitlab = detect_trigger(
      environment_of({{"GITLAB_CI", "true"}, {"CI_JOB_URL", "https://gitlab.example/-/jobs/1"}}));
  CHECK(gitlab.kind == "gitlab");
  CHECK(gitlab.url == "https://gitlab.example/-/jobs/1");
  CHECK(detect_trigger(environment_of({{"CI", "true"}})).kind == "ci");
  CHECK(detect_trigger(environment_of({{"USER", "ada"}})).kind == "manual");
}

TEST_CASE("a variable that holds a secret is asked for twice, and inherited by nobody") {
  setenv("BELAY_TEST_HOOK", "https://h.example/x", 1);
  SecretVariables variables;
  const auto take = [&](const std::string& name) { return variables.take(name); };
  plan::Webhook webhook;
  webhook.url_env = "BELAY_TEST_HOOK";
  CHECK(fetch_webhook(webhook, take).url == "https://h.example/x");
  CHECK(std::getenv("BELAY_TEST_HOOK") == nullptr);
  CHECK(fetch_webhook(webhook, take).url == "https://h.example/x");
}

#ifdef __linux__
TEST_CASE("whoever has fetched a secret leaves no core dump") {
  for (const bool from_file : {false, true}) {
    const TemporaryDirectory folder("/tmp/belay-test-");
    replace_file(folder.path() / "secret", "whsec_fromfile\n");
    const auto environment = environment_of({{"HOOK", "https://h.example/x"}});
    const pid_t child = fork(); // it cannot be taken back
    if (child == 0) {
      prctl(PR_SET_DUMPABLE, 1); // an earlier test may have fetched one
      from_file ? fetch_secret({}, (folder.path() / "secret").string(), environment)
                : fetch_secret("HOOK", {}, environment);
      _exit(prctl(PR_GET_DUMPABLE) == 0 ? 0 : 1);
    }
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
}
#endif

TEST_CASE("a webhook's URL and secret come from where the plan says") {
  const TemporaryDirectory folder("/tmp/belay-test-");
  replace_file(folder.path() / "secret", "whsec_fromfile\n");
  plan::Webhook webhook;
  webhook.url_env = "HOOK";
  webhook.secret_file = (folder.path() / "secret").string();
  const auto options = fetch_webhook(webhook, environment_of({{"HOOK", " https://h.example/x\n"}}));
  CHECK(options.url == "https://h.example/x");
  CHECK(options.secrets == std::vector<std::string>{"whsec_fromfile"});
}

TEST_CASE("a secret that is not there is named with variable, file and line, never by value") {
  plan::Webhook webhook;
  webhook.line = 12;
  webhook.url_env = "HOOK";
  const auto unset = message_of(webhook, environment_of({}));
  CHECK(unset.find("HOOK") != std::string::npos);
  CHECK(unset.find("line 12") != std::string::npos);
  webhook.secret_file = "/nonexistent/secret";
  const auto missing = message_of(webhook, environment_of({{"HOOK", "https://h/hidden"}}));
  CHECK(missing.find("/nonexistent/secret") != std::string::npos);
  CHECK(missing.find("hidden") == std::string::npos);
}
