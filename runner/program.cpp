// SPDX-License-Identifier: Apache-2.0
#include "runner/program.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/event/exit_code.h"
#include "engine/event/secret_mask.h"
#include "runner/options.h"
#include "runner/signals.h"
#include "runner/url_secrets.h"
#include "runner/verb_check.h"
#include "runner/verb_plan.h"
#include "runner/verb_report.h"
#include "runner/verb_run.h"
#include "runner/verb_schema.h"

#include <iostream>

namespace belay::runner {

using event::ExitCode;

namespace {

/// What an Error means where there was no run yet that could have reported it.
ExitCode exit_code_of(const Error& error) {
  switch (error.kind()) {
  case ErrorKind::usage:
    return ExitCode::usage;
  case ErrorKind::invalid_plan:
    return ExitCode::plan_invalid;
  case ErrorKind::nothing_selected:
    return ExitCode::nothing_selected;
  case ErrorKind::evaluation_failed:
    return ExitCode::evaluation;
  case ErrorKind::secret:
    return ExitCode::secret;
  default:
    return ExitCode::internal;
  }
}

struct DoVerb {
  ExitCode operator()(const RunOptions& options) const {
    SignalWatch signals; // before any thread
    return run_deploy(options, signals);
  }
  ExitCode operator()(const PlanOptions& options) const { return show_plan(options); }
  ExitCode operator()(const CheckOptions& options) const { return check_plan(options); }
  ExitCode operator()(const ReportOptions& options) const { return report_saved_run(options); }
  ExitCode operator()(const SchemaOptions& options) const { return show_schema(options); }
};

} // namespace

int run_program(const std::vector<std::string>& arguments) {
  const event::SecretMask mask(url_secrets(join(arguments, "\n")));
  const auto parsed = parse_options(arguments);
  if (const auto* help = std::get_if<HelpText>(&parsed)) {
    std::cout << help->text << std::flush;
    return std::cout.good() ? 0 : static_cast<int>(ExitCode::internal);
  }
  if (const auto* error = std::get_if<UsageError>(&parsed)) {
    std::cerr << mask.apply(error->text());
    return static_cast<int>(ExitCode::usage);
  }
  try {
    return static_cast<int>(std::visit(DoVerb{}, std::get<Options>(parsed)));
  } catch (const Error& error) {
    std::cerr << "belay: " << mask.apply(error.what()) << '\n';
    return static_cast<int>(exit_code_of(error));
  } catch (const std::exception& error) {
    std::cerr << "belay: internal error: " << mask.apply(error.what()) << '\n';
    return static_cast<int>(ExitCode::internal);
  }
}

} // namespace belay::runner
