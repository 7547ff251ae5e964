// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/plan/resolve.h"

#include <map>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

// The command line as a value. parse_options is a pure function: it reads no file and no
// environment, prints nothing and never exits, so that each rule of it is a unit test. What a flag
// is called, what it means and what it does is one row of one table (options_flags.h), from which
// the parser, "did you mean" and the help are made.

namespace belay::runner {

/// What run, plan and check have in common: where the plan comes from.
struct LoadOptions {
  std::optional<std::string> plan_file; ///< `--plan`; else ./belay.yaml where there is one
  plan::Overrides overrides;
  std::vector<std::string> nix_arguments; ///< after `--`: for evaluation and build, never the copy
  bool debug_logs = false;                ///< `--debug-logs`
  bool skip_checks = false;               ///< of run, and of plan with an artifact
};

struct RunOptions : LoadOptions {
  std::optional<std::string> plan_artifact; ///< deploy what this file holds; nothing is resolved
  bool interactive = false;                 ///< ask first
  bool check_signatures = false;            ///< `--checksigs`
  bool keep_result = false;
  std::string result_path = "./.deploy-gc"; ///< as in deploy-rs
  /// The flags that were given, by their long name without dashes: for run.started. Without the NIX
  /// ARGS, which may hold access tokens.
  std::map<std::string, std::string> given;
};

enum class PlanFormat { table, json, toml };
struct PlanOptions : LoadOptions {
  PlanFormat format = PlanFormat::table;
  std::optional<std::string> out; ///< where to write an artifact
};

struct CheckOptions : LoadOptions {};

struct ReportOptions {
  std::string from;                 ///< a saved events.jsonl
  std::optional<std::string> junit; ///< where to write JUnit again
};

enum class SchemaName { plan, events };
struct SchemaOptions {
  SchemaName name = SchemaName::plan;
};

/// One alternative a verb.
using Options = std::variant<RunOptions, PlanOptions, CheckOptions, ReportOptions, SchemaOptions>;

/// Asked for with --help or --version: print it on stdout, exit 0.
struct HelpText {
  std::string text;
};

/// Print text() on stderr, exit 2.
struct UsageError {
  std::string message; ///< names the flag; says what was probably meant
  std::string verb;    ///< empty where there is none
  /// `belay: unknown flag --paralel; did you mean --parallel?` and where help is.
  std::string text() const;
};

/// `arguments` are those after the program's name.
std::variant<Options, HelpText, UsageError> parse_options(std::span<const std::string> arguments);

} // namespace belay::runner
