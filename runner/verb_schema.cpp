// SPDX-License-Identifier: Apache-2.0
#include "runner/verb_schema.h"

#include "engine/event/event_json.h"
#include "engine/plan/plan_file.h"

#include <iostream>
#include <string>

namespace belay::runner {

void print_schema(const SchemaOptions& options, std::ostream& out) {
  const std::string schema =
      options.name == SchemaName::plan ? plan::plan_schema() : event::events_schema();
  out << schema << (schema.ends_with('\n') ? "" : "\n");
}

event::ExitCode show_schema(const SchemaOptions& options) {
  print_schema(options, std::cout);
  std::cout.flush();
  return std::cout ? event::ExitCode::ok : event::ExitCode::internal;
}

} // namespace belay::runner
