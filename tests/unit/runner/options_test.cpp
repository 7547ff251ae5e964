// SPDX-License-Identifier: Apache-2.0
#include "runner/options.h"
#include "runner/options_flags.h"
#include "tests/catch.h"

#include <algorithm>
#include <map>
#include <set>

namespace belay::runner {
namespace {

using Words = std::vector<std::string>;

template <class T> T parsed(const Words& words) {
  const auto result = parse_options(words);
  if (const auto* error = std::get_if<UsageError>(&result)) {
    FAIL(error->text());
  }
  REQUIRE(std::holds_alternative<Options>(result));
  REQUIRE(std::holds_alternative<T>(std::get<Options>(result)));
  return std::get<T>(std::get<Options>(result));
}

std::string error_of(const Words& words) {
  const auto result = parse_options(words);
  REQUIRE(std::holds_alternative<UsageError>(result));
  return std::get<UsageError>(result).text();
}

Words words_of(const std::string& text) {
  Words words;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const auto end = std::min(text.find(' ', begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

} // namespace

TEST_CASE("run without anything says nothing") {
  const auto options = parsed<RunOptions>({"run"});
  CHECK(options.overrides.targets.empty());
  CHECK_FALSE(options.plan_file);
  CHECK_FALSE(options.skip_checks);
  CHECK_FALSE(options.debug_logs);
  CHECK(options.given.empty());
  CHECK_FALSE(options.overrides.parallel);
  CHECK_FALSE(options.overrides.settings.ssh_opts);
}

TEST_CASE("every flag of run arrives where it belongs") {
  const auto options = parsed<RunOptions>({"run",
                                           ".#a",
                                           "--plan",
                                           "p.yaml",
                                           "--events=fd:3",
                                           "--junit",
                                           "j.xml",
                                           "--parallel",
                                           "3",
                                           "--on-failure",
                                           "continue",
                                           "--grace",
                                           "9",
                                           "--lock-wait",
                                           "90s",
                                           "--deadline",
                                           "2h",
                                           "-s",
                                           "--ssh-user",
                                           "u",
                                           "--profile-user",
                                           "v",
                                           "--ssh-opts",
                                           "-p 22  -4",
                                           "--fast-connection",
                                           "true",
                                           "--auto-rollback",
                                           "false",
                                           "--transport",
                                           "openssh",
                                           "--hostname",
                                           "h",
                                           "--magic-rollback",
                                           "false",
                                           "--confirm-timeout",
                                           "1",
                                           "--activation-timeout",
                                           "2",
                                           "--rollback-succeeded",
                                           "true",
                                           "-d",
                                           ".#b.c",
                                           "--",
                                           "--option",
                                           "x",
                                           "--",
                                           "-s"});
  const plan::Overrides& overrides = options.overrides;
  CHECK(overrides.targets == Words{".#a", ".#b.c"});
  CHECK(options.plan_file == "p.yaml");
  CHECK(overrides.reports.events == "fd:3");
  CHECK(overrides.reports.junit == "j.xml");
  CHECK(overrides.parallel == 3);
  CHECK(overrides.on_failure == plan::OnFailure::proceed);
  CHECK(overrides.grace == plan::Seconds(9));
  CHECK(overrides.lock_wait == plan::Seconds(90));
  CHECK(overrides.deadline == plan::Seconds(7200));
  CHECK(options.skip_checks);
  CHECK(options.debug_logs);
  CHECK(overrides.settings.ssh_user == "u");
  CHECK(overrides.settings.user == "v");
  CHECK(overrides.settings.ssh_opts == Words{"-p", "22", "-4"});
  CHECK(overrides.settings.fast_connection == true);
  CHECK(overrides.settings.auto_rollback == false);
  CHECK(overrides.settings.transport == plan::Transport::openssh);
  CHECK(overrides.hostname == "h");
  CHECK(overrides.settings.magic_rollback == false);
  CHECK(overrides.settings.confirm_timeout == plan::Seconds(1));
  CHECK(overrides.settings.activation_timeout == plan::Seconds(2));
  CHECK(overrides.rollback_succeeded == true);
  CHECK(options.nix_arguments == Words{"--option", "x", "--", "-s"});
  CHECK(options.given.size() == 21);
  CHECK(options.given.at("ssh-opts") == "-p 22  -4");
  CHECK(options.given.at("skip-checks") == "true");
}

TEST_CASE("what is done with the closures, and as whom") {
  const auto of = [](Words words) {
    words.insert(words.begin(), "run");
    return parsed<RunOptions>(words).overrides;
  };
  CHECK(of({}).mode == plan::Mode::activate);
  CHECK(of({"--dry-activate"}).mode == plan::Mode::dry_activate);
  CHECK(of({"--boot"}).mode == plan::Mode::boot);
  CHECK(of({"--sudo", "doas -u"}).settings.sudo == "doas -u");
  CHECK(of({"--interactive-sudo", "true"}).settings.interactive_sudo == true);
  CHECK(of({"--temp-path", "/var/tmp"}).settings.temp_path == "/var/tmp");
  CHECK(of({"--log-dir", "logs"}).reports.log_folder == "logs");
  CHECK(of({}).reports.progress);
  CHECK_FALSE(of({"--no-progress"}).reports.progress);
  CHECK(of({"-d"}).reports.log_on_console);
}

TEST_CASE("deploy-rs's flags for checks, signatures and results") {
  const auto none = parsed<RunOptions>({"run"});
  CHECK_FALSE(none.check_signatures);
  CHECK_FALSE(none.keep_result);
  CHECK(none.result_path == "./.deploy-gc");
  const auto all = parsed<RunOptions>({"run", "-s", "-c", "-k", "-r", "links"});
  CHECK(all.skip_checks);
  CHECK(all.check_signatures);
  CHECK(all.keep_result);
  CHECK(all.result_path == "links");
}

TEST_CASE("beside --file a target is a node, wherever it stands") {
  for (const Words& words : {Words{"run", "-f", "h.nix", "web-1", "db.\"a b\""},
                             Words{"run", "--targets", "web-1", "db.\"a b\"", "--file", "h.nix"}}) {
    const auto overrides = parsed<RunOptions>(words).overrides;
    CHECK(overrides.file == "h.nix");
    CHECK(overrides.targets.size() == 2);
  }
  CHECK(parsed<PlanOptions>({"plan", "-f", "h.nix", "."}).overrides.file == "h.nix");
  CHECK_THAT(error_of({"run", "-f", "h.nix", ".#web-1"}),
             Catch::Matchers::Contains("the form is NODE[.PROFILE] where --file is given"));
  CHECK_THAT(error_of({"run", "-f", "h.nix", "a.b.c"}),
             Catch::Matchers::Contains("it has 3 parts"));
}

TEST_CASE("deploy-rs's --targets takes all words up to the next flag") {
  CHECK(parsed<RunOptions>({"run", "--targets", "a", "b#c", "--parallel", "2"}).overrides.targets ==
        Words{"a", "b#c"});
  CHECK(parsed<RunOptions>({"run", "--targets", "a", "--", "x"}).overrides.targets == Words{"a"});
  CHECK(error_of({"run", "a", "--targets", "b"}).find("exclude each other") != std::string::npos);
}

TEST_CASE("a quoted target passes through unchanged") {
  CHECK(parsed<RunOptions>({"run", ".#\"web.example.com\".system"}).overrides.targets ==
        Words{".#\"web.example.com\".system"});
}

TEST_CASE("the other verbs") {
  CHECK(parsed<PlanOptions>({"plan"}).format == PlanFormat::table);
  CHECK(parsed<PlanOptions>({"plan", "--format", "json", "x#y"}).format == PlanFormat::json);
  CHECK(parsed<PlanOptions>({"plan", "--format", "toml"}).format == PlanFormat::toml);
  CHECK(parsed<PlanOptions>({"plan", "--out", "p.json"}).out == "p.json");
  CHECK(parsed<PlanOptions>({"plan", "x#y"}).overrides.targets == Words{"x#y"});
  CHECK(parsed<CheckOptions>({"check", "--plan", "p"}).plan_file == "p");
  CHECK(parsed<ReportOptions>({"report", "--from", "e"}).from == "e");
  CHECK_FALSE(parsed<ReportOptions>({"report", "--from", "e"}).junit);
  CHECK(parsed<ReportOptions>({"report", "--junit", "j", "--from", "e"}).junit == "j");
  CHECK(parsed<SchemaOptions>({"schema", "plan"}).name == SchemaName::plan);
  CHECK(parsed<SchemaOptions>({"schema", "events"}).name == SchemaName::events);
}

TEST_CASE("a usage error names the flag, the nearest one and the help") {
  CHECK(error_of({"run", "--paralel", "3"}) ==
        "belay: unknown flag --paralel; did you mean --parallel?\nsee: belay run --help\n");
  const std::map<std::string, std::string> table{
      {"run --paralel=3", "unknown flag --paralel; did you mean --parallel?"},
      {"run --para 3", "unknown flag --para"}, // no abbreviations
      {"run --skip", "unknown flag --skip"},
      {"run -x", "unknown flag -x"},
      {"run --format json", "unknown flag --format"}, // plan's
      {"run --dry-activate --boot", "flag --boot: it and --dry-activate exclude each other"},
      {"run --boot --dry-activate", "exclude each other"},
      {"run --dry-activate=true", "flag --dry-activate takes no value"},
      {"run --interactive-sudo yes", "expected true or false"},
      {"run --sudo", "flag --sudo needs a value"},
      {"run --parallel", "flag --parallel needs a value: --parallel N"},
      {"run --parallel --junit x", "flag --parallel needs a value: --parallel N, found the flag "
                                   "--junit"},
      {"run --plan --junit x", "flag --plan needs a value"},
      {"run --plan=", "flag --plan: expected a value, found nothing"},
      {"run --transport telnet",
       "flag --transport: expected auto, libssh2 or openssh, found \"telnet\""},
      {"run --parallel 0", "flag --parallel: expected a whole number from 1 to 10000, found \"0\""},
      {"run --parallel -1", "found \"-1\""},
      {"run --parallel 8x", "found \"8x\""},
      {"run --parallel=", "found \"\""},
      {"run --parallel 1 --parallel 2", "flag --parallel is there more than once"},
      {"run --confirm-timeout 65536", "from 0 to 65535"},
      {"run --magic-rollback yes", "flag --magic-rollback: expected true or false, found \"yes\""},
      {"run --magic-rollback", "flag --magic-rollback needs a value"},
      {"run --skip-checks=false", "flag --skip-checks takes no value"},
      {"run --on-failure ignore", "flag --on-failure: expected stop or continue"},
      {"run --events fd:x", "flag --events: expected fd:N"},
      {"run --events fd:-1", "flag --events: expected fd:N"},
      {"run .#a.b.c", "target '.#a.b.c': it has 3 parts"},
      {"run --targets .#a.b.c", "flag --targets: target '.#a.b.c'"},
      {"run --targets", "flag --targets needs a value"},
      {"report", "flag --from FILE is missing"},
      {"report --from e x", "unexpected argument \"x\""},
      {"report --from e -- x", "have no meaning here"},
      {"report --from", "flag --from needs a value"},
      {"schema", "which schema: plan or events?"},
      {"schema plans", "unknown schema \"plans\"; did you mean plan?"},
      {"schema plan events", "unexpected argument \"events\""},
      {"schema plan --plan x", "unknown flag --plan"},
      {"plan --events x", "unknown flag --events"},
      {"plan --format xml", "flag --format: expected table, json or toml"},
      {"ru", "unknown verb \"ru\"; did you mean run?"},
      {".", "unknown verb \".\""},
      {"--verison", "unknown flag --verison before the verb; did you mean --version?"},
  };
  for (const auto& [line, expected] : table) {
    INFO(line);
    const std::string text = error_of(words_of(line));
    INFO(text);
    CHECK(text.find(expected) != std::string::npos);
    CHECK(text.find("\nsee: belay ") != std::string::npos);
    CHECK(text.find("--help\n") != std::string::npos);
  }
  CHECK(error_of({}).find("a verb is missing") != std::string::npos);
}

TEST_CASE("a time is a number of seconds, minutes or hours within its bounds") {
  const auto lock_wait = [](const std::string& text) {
    const auto result = parse_options(Words{"run", "--lock-wait", text});
    const auto* options = std::get_if<Options>(&result);
    return options ? std::get<RunOptions>(*options).overrides.lock_wait : std::nullopt;
  };
  CHECK(lock_wait("0") == plan::Seconds(0));
  CHECK(lock_wait("7") == plan::Seconds(7));
  CHECK(lock_wait("7s") == plan::Seconds(7));
  CHECK(lock_wait("2m") == plan::Seconds(120));
  CHECK(lock_wait("24h") == plan::Seconds(86'400));
  for (const char* bad : {"25h", "-1", "", "m", "1d", "1.5m", "5 m", "9223372036854775807h"}) {
    INFO(bad);
    CHECK_FALSE(lock_wait(bad));
  }
  const auto none = parse_options(Words{"run", "--deadline", "0"});
  CHECK(std::get<UsageError>(none).message ==
        "flag --deadline: expected a time from 1 to 604800 seconds, as 90, 90s, 5m or 1h, "
        "found \"0\"");
}

TEST_CASE("what was settled in an artifact cannot be given again") {
  const auto refused = [](const Words& more) {
    Words words{"run", "--plan-artifact", "plan.json"};
    words.insert(words.end(), more.begin(), more.end());
    const auto result = parse_options(words);
    const auto* error = std::get_if<UsageError>(&result);
    return error ? error->message : std::string();
  };
  CHECK(refused({}).empty());
  CHECK(refused({"."}).starts_with("TARGET arguments and --plan-artifact exclude each other"));
  CHECK(refused({"--plan", "p.yaml"}).starts_with("flag --plan and --plan-artifact exclude"));
  // Whatever `plan` has a flag for was settled there, but for these.
  const std::set<std::string_view> free{"--parallel", "--grace",       "--lock-wait",
                                        "--deadline", "--skip-checks", "--debug-logs",
                                        "--help"};
  const std::map<std::string_view, std::string> values{
      {"stop|continue", "stop"}, {"auto|libssh2|openssh", "auto"}, {"BOOL", "true"}};
  for (const Flag* flag : flags_of(Verb::run)) {
    if (flag->name == "--plan-artifact" || flag->name == "--help") {
      continue;
    }
    INFO(flag->name);
    Words words{std::string(flag->name)};
    if (!flag->is_switch()) {
      words.push_back(values.contains(flag->value) ? values.at(flag->value) : "5");
    }
    const auto of_plan = flags_of(Verb::plan);
    const bool settled = std::find(of_plan.begin(), of_plan.end(), flag) != of_plan.end() &&
                         !free.contains(flag->name);
    CHECK(refused(words).find(settled ? "exclude each other" : "") != std::string::npos);
    CHECK(refused(words).empty() == !settled);
  }
  CHECK(parsed<RunOptions>({"run", "--plan-artifact", "p", "--", "--offline"}).nix_arguments ==
        Words{"--offline"});
}

TEST_CASE("ssh-opts may begin with a dash, also alone and empty") {
  const auto opts = [](const Words& words) {
    return *parsed<RunOptions>(words).overrides.settings.ssh_opts;
  };
  CHECK(opts({"run", "--ssh-opts", "-4"}) == Words{"-4"});
  CHECK(opts({"run", "--ssh-opts", "--x"}) == Words{"--x"});
  CHECK(opts({"run", "--ssh-opts=-p 22"}) == Words{"-p", "22"});
  CHECK(opts({"run", "--ssh-opts", ""}).empty());
  CHECK(opts({"run", "--ssh-opts="}).empty());
}

TEST_CASE("values are taken as they are") {
  for (const std::string value : {"[a,b]", "a,b", "\"a\"", "'a'", "$x", "a b", "{}", "%", "a=b"}) {
    INFO(value);
    CHECK(parsed<RunOptions>({"run", "--plan", value}).plan_file == value);
    CHECK(parsed<RunOptions>({"run", "--plan=" + value}).plan_file == value);
  }
  CHECK(parsed<RunOptions>({"run", "--events", "-"}).overrides.reports.events == "-");
}

TEST_CASE("each flag of the table is taken by the parser, in each of its verbs") {
  const std::map<std::string_view, std::string> values{
      {"BOOL", "true"}, {"stop|continue", "stop"},
      {"SECONDS", "5"}, {"DURATION", "5m"},
      {"N", "5"},       {"table|json|toml", "toml"},
      {"TARGET…", "a"}, {"PATH|-|fd:N", "fd:1"},
      {"FILE", "f"},    {"PATH", "p"},
      {"USER", "u"},    {"OPTIONS", "-4"},
      {"HOST", "h"},    {"COMMAND", "doas -u"},
      {"DIR", "d"},     {"auto|libssh2|openssh", "auto"}};
  for (const VerbInfo& verb : verbs()) {
    for (const Flag* flag : flags_of(verb.verb)) {
      if (flag->name == "--help") {
        continue;
      }
      INFO(verb.name << " " << flag->name);
      Words words{std::string(verb.name), std::string(flag->name)};
      if (!flag->is_switch()) {
        REQUIRE(values.contains(flag->value));
        words.push_back(values.at(flag->value));
      }
      if (verb.verb == Verb::report && flag->name != "--from") {
        words.insert(words.end(), {"--from", "e"});
      }
      const auto result = parse_options(words);
      CHECK(std::holds_alternative<Options>(result));
    }
  }
}

} // namespace belay::runner
