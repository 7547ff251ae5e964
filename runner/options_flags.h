// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runner/options.h"

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// The table of verbs and the table of flags. A row says in which verbs the flag exists, under which
// group help shows it, and what it does to the draft of the options.

namespace belay::runner {

enum class Verb { run, plan, check, report, schema };

struct VerbInfo {
  Verb verb;
  std::string_view name;
  std::string_view usage;   ///< what follows the name
  std::string_view summary; ///< one line
  std::string_view story;   ///< what it does, for its own help
  std::vector<std::string_view> examples;
};

std::span<const VerbInfo> verbs();
const VerbInfo& info_of(Verb verb);

/// What all verbs' flags write to; parse_options takes from it what its verb has.
struct OptionsDraft {
  LoadOptions load;
  RunOptions run;
  PlanOptions plan;
  ReportOptions report;
};

struct Flag {
  std::string_view name;  ///< with its dashes: "--plan"
  char short_name = 0;    ///< 's' for -s; 0 = none
  std::string_view value; ///< what help calls its value; empty = a switch
  std::vector<Verb> verbs;
  std::string_view group;
  std::string_view description;
  /// Takes a value ("" for a switch) into the draft; returns what is wrong with it.
  std::function<std::optional<std::string>(OptionsDraft&, const std::string&)> take;
  enum class Values {
    one,      ///< exactly one, or none for a switch
    one_dash, ///< one that may begin with a dash
    many,     ///< all words up to the next flag
  };
  Values values = Values::one;

  bool is_switch() const { return value.empty(); }
};

std::span<const Flag> flags();
std::vector<const Flag*> flags_of(Verb verb);

/// The groups of flags, in the order in which help shows them.
std::span<const std::string_view> flag_groups();

} // namespace belay::runner
