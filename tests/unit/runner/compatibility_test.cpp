// SPDX-License-Identifier: Apache-2.0
#include "runner/help.h"
#include "runner/load_plan.h"
#include "runner/options.h"
#include "runner/options_flags.h"
#include "tests/catch.h"
#include "tests/deploy_rs_flags.h"

#include <cstdlib>
#include <functional>

// deploy-rs's command line (5.3) and what it reads of the environment (5.10), row by row: each line
// is one that somebody has in a script.

namespace belay::runner {
namespace {

using Words = std::vector<std::string>;

RunOptions parsed(const Words& words) {
  Words all{"run"};
  all.insert(all.end(), words.begin(), words.end());
  const auto result = parse_options(all);
  if (const auto* error = std::get_if<UsageError>(&result)) {
    FAIL(error->text());
  }
  return std::get<RunOptions>(std::get<Options>(result));
}

struct Row {
  Words words;
  std::function<bool(const RunOptions&)> holds;
};

const plan::Settings& settings(const RunOptions& options) {
  return options.overrides.settings;
}

} // namespace

TEST_CASE("5.3: each flag of deploy-rs is taken, under its own name, for what it says") {
  const std::vector<Row> rows{
      {{".#web"}, [](const RunOptions& o) { return o.overrides.targets == Words{".#web"}; }},
      {{"--targets", ".#a", ".#b.c"},
       [](const RunOptions& o) {
         return o.overrides.targets == Words{".#a", ".#b.c"};
       }},
      {{"-d"}, [](const RunOptions& o) { return o.debug_logs; }},
      {{"--debug-logs"}, [](const RunOptions& o) { return o.debug_logs; }},
      {{"--log-dir", "logs"},
       [](const RunOptions& o) { return o.overrides.reports.log_folder == "logs"; }},
      {{"-s"}, [](const RunOptions& o) { return o.skip_checks; }},
      {{"--skip-checks"}, [](const RunOptions& o) { return o.skip_checks; }},
      {{"--ssh-user", "u"}, [](const RunOptions& o) { return settings(o).ssh_user == "u"; }},
      {{"--profile-user", "u"}, [](const RunOptions& o) { return settings(o).user == "u"; }},
      {{"--ssh-opts", "-p 22 -4"},
       [](const RunOptions& o) {
         return settings(o).ssh_opts == Words{"-p", "22", "-4"};
       }},
      {{"--fast-connection", "true"},
       [](const RunOptions& o) { return settings(o).fast_connection == true; }},
      {{"--auto-rollback", "false"},
       [](const RunOptions& o) { return settings(o).auto_rollback == false; }},
      {{"--hostname", "h"}, [](const RunOptions& o) { return o.overrides.hostname == "h"; }},
      {{"--magic-rollback", "false"},
       [](const RunOptions& o) { return settings(o).magic_rollback == false; }},
      {{"--confirm-timeout", "60"},
       [](const RunOptions& o) { return settings(o).confirm_timeout == plan::Seconds(60); }},
      {{"--activation-timeout", "600"},
       [](const RunOptions& o) { return settings(o).activation_timeout == plan::Seconds(600); }},
      {{"--temp-path", "/var/tmp"},
       [](const RunOptions& o) { return settings(o).temp_path == "/var/tmp"; }},
      {{"--dry-activate"},
       [](const RunOptions& o) { return o.overrides.mode == plan::Mode::dry_activate; }},
      {{"--boot"}, [](const RunOptions& o) { return o.overrides.mode == plan::Mode::boot; }},
      {{"--rollback-succeeded", "false"},
       [](const RunOptions& o) { return o.overrides.rollback_succeeded == false; }},
      {{"--sudo", "doas -u"}, [](const RunOptions& o) { return settings(o).sudo == "doas -u"; }},
      {{"--interactive-sudo", "true"},
       [](const RunOptions& o) { return settings(o).interactive_sudo == true; }},
      {{"--no-progress"}, [](const RunOptions& o) { return !o.overrides.reports.progress; }},
      {{"--file", "hosts.nix", "web-1.system"},
       [](const RunOptions& o) { return o.overrides.file == "hosts.nix"; }},
      {{"-f", "hosts.nix"}, [](const RunOptions& o) { return o.overrides.file == "hosts.nix"; }},
      {{"--checksigs"}, [](const RunOptions& o) { return o.check_signatures; }},
      {{"-c"}, [](const RunOptions& o) { return o.check_signatures; }},
      {{"--keep-result"}, [](const RunOptions& o) { return o.keep_result; }},
      {{"-k"},
       [](const RunOptions& o) { return o.keep_result && o.result_path == "./.deploy-gc"; }},
      {{"--result-path", "links"}, [](const RunOptions& o) { return o.result_path == "links"; }},
      {{"-r", "links"}, [](const RunOptions& o) { return o.result_path == "links"; }},
      {{".", "--", "--impure"},
       [](const RunOptions& o) { return o.nix_arguments == Words{"--impure"}; }},
  };
  for (const auto& row : rows) {
    INFO(row.words.front());
    CHECK(row.holds(parsed(row.words)));
  }
}

TEST_CASE("5.3: the help shows every flag of deploy-rs") {
  const auto help = help_of(Verb::run);
  for (const auto& flag : tests::deploy_rs_flags) {
    INFO(flag);
    CHECK(help.find(flag + " ") != std::string::npos);
  }
}

TEST_CASE("5.3: --dry-activate with --boot is a usage error, and does not merely say so") {
  const std::vector<std::string> words{"run", "--dry-activate", "--boot"};
  const auto result = parse_options(words);
  REQUIRE(std::holds_alternative<UsageError>(result));
  CHECK(std::get<UsageError>(result).text().find("exclude each other") != std::string::npos);
}

TEST_CASE("5.2: a lone quoted node is one, and a third part is a usage error") {
  CHECK(parsed({".#\"a.b\""}).overrides.targets == Words{".#\"a.b\""});
  const std::vector<std::string> words{"run", ".#a.b.c"};
  CHECK(std::holds_alternative<UsageError>(parse_options(words)));
}

TEST_CASE("5.10: the local user's name is $USER's, as the ssh user where nobody names one") {
  const char* before = std::getenv("USER");
  const std::string kept = before == nullptr ? "" : before;
  setenv("USER", "somebody", 1);
  CHECK(local_user() == "somebody");
  unsetenv("USER");
  CHECK_FALSE(local_user().empty());
  CHECK(local_user() != "somebody");
  if (before != nullptr) {
    setenv("USER", kept.c_str(), 1);
  }
}

} // namespace belay::runner
