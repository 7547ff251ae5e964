// SPDX-License-Identifier: Apache-2.0
#include "runner/options.h"

#include "engine/base/text.h"
#include "runner/help.h"
#include "runner/options_flags.h"
#include "runner/options_rules.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <variant>

// CLI11 takes the words apart; which flags there are, and what their values mean, is our table's.

namespace belay::runner {
namespace {

/// A word as it may be shown in a message.
std::string shown(std::string_view word) {
  return one_line(word.substr(0, 200));
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  const auto meant = word.size() > 100 ? std::nullopt : nearest(word, candidates);
  return meant ? "; did you mean " + *meant + "?" : "";
}

/// What CLI11 found of one verb's flags.
class Words {
public:
  explicit Words(Verb verb) : app_("belay") {
    app_.set_help_flag();
    app_.allow_extras();
    for (const Flag* flag : flags_of(verb)) {
      add(*flag);
    }
    app_.add_option("ARGUMENT", arguments_);
  }

  /// Throws CLI::ParseError.
  void parse(std::vector<std::string> words) {
    std::reverse(words.begin(), words.end()); // as CLI11 wants them
    app_.parse(std::move(words));
  }

  struct Found {
    const Flag* flag = nullptr;
    std::vector<std::string> values; ///< of a switch: one, empty
  };
  std::vector<Found> found() const {
    std::vector<Found> result;
    for (const Slot& slot : slots_) {
      const bool is_switch = slot.flag->is_switch();
      if (slot.option->count() > 0) {
        result.push_back(
            {slot.flag, is_switch ? std::vector<std::string>{""} : slot.option->results()});
      }
    }
    return result;
  }
  const std::vector<std::string>& arguments() const { return arguments_; }
  std::vector<std::string> unknown() const { return app_.remaining(); }

private:
  struct Slot {
    const Flag* flag = nullptr;
    CLI::Option* option = nullptr;
  };

  void add(const Flag& flag) {
    std::string names(flag.name);
    if (flag.short_name != 0) {
      names = std::string("-") + flag.short_name + "," + names;
    }
    Slot& slot = slots_.emplace_back();
    slot.flag = &flag;
    if (flag.is_switch()) {
      slot.option = app_.add_flag(names)->disable_flag_override();
      return;
    }
    // Not as a vector, and read back raw: CLI11 would read "[a,b]" as two values and "{}" as none.
    slot.option = app_.add_option(names, [](const CLI::results_t&) { return true; });
    slot.option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    slot.option->allow_extra_args(flag.values == Flag::Values::many);
  }

  CLI::App app_;
  std::vector<Slot> slots_;
  std::vector<std::string> arguments_;
};

/// Parsing ends with one of these, or goes on with nothing.
using Problem = std::optional<std::string>;

class Parser {
public:
  Parser(const VerbInfo& verb, std::span<const std::string> words)
      : verb_(verb), flags_(flags_of(verb.verb)), words_(verb.verb) {
    const auto end = std::find(words.begin(), words.end(), "--");
    own_.assign(words.begin(), end);
    has_nix_arguments_ = end != words.end();
    if (has_nix_arguments_) {
      draft_.load.nix_arguments.assign(end + 1, words.end());
    }
  }

  std::variant<Options, HelpText, UsageError> parse() {
    if (asks_for_help()) {
      return HelpText{help_of(verb_.verb)};
    }
    Problem problem = split_values();
    problem = problem ? problem : take_words_apart();
    problem = problem ? problem : report_unknown();
    problem = problem ? problem : take_flags();
    problem = problem ? problem : take_arguments();
    problem = problem ? problem : check_together({given_, !words_.arguments().empty()}, draft_);
    if (problem) {
      return UsageError{*problem, std::string(verb_.name)};
    }
    return result();
  }

private:
  bool asks_for_help() const {
    return std::find(own_.begin(), own_.end(), "--help") != own_.end() ||
           std::find(own_.begin(), own_.end(), "-h") != own_.end();
  }

  const Flag* find(std::string_view name) const {
    const auto found = std::find_if(flags_.begin(), flags_.end(),
                                    [&](const Flag* flag) { return flag->name == name; });
    return found == flags_.end() ? nullptr : *found;
  }

  /// `--name=value` becomes two words: CLI11 takes an empty value for none.
  Problem split_values() {
    std::vector<std::string> words;
    for (const std::string& word : own_) {
      const auto equals = word.find('=');
      const Flag* flag = word.starts_with("--") && equals != std::string::npos
                             ? find(word.substr(0, equals))
                             : nullptr;
      if (flag && flag->is_switch()) {
        return "flag " + std::string(flag->name) + " takes no value";
      }
      words.push_back(flag ? word.substr(0, equals) : word);
      if (flag) {
        words.push_back(word.substr(equals + 1));
      }
    }
    own_ = std::move(words);
    return std::nullopt;
  }

  Problem take_words_apart() {
    try {
      words_.parse(own_);
      return std::nullopt;
    } catch (const CLI::ArgumentMismatch&) {
      // The only way to get here: a flag at the end, without its value.
      const Flag* flag = own_.empty() ? nullptr : find(own_.back());
      return flag
                 ? "flag " + std::string(flag->name) +
                       " needs a value: " + std::string(flag->name) + " " + std::string(flag->value)
                 : "a flag's value is missing";
    } catch (const CLI::ParseError& error) {
      return one_line(error.what());
    }
  }

  Problem report_unknown() const {
    for (const std::string& word : words_.unknown()) {
      if (!word.starts_with('-')) {
        return "unexpected argument \"" + shown(word) + '"';
      }
      const std::string name = word.substr(0, word.find('='));
      return "unknown flag " + shown(name) + did_you_mean(name, flag_names());
    }
    return std::nullopt;
  }

  std::vector<std::string> flag_names() const {
    std::vector<std::string> names;
    for (const Flag* flag : flags_) {
      names.emplace_back(flag->name);
    }
    return names;
  }

  Problem take_flags() {
    for (const Words::Found& found : words_.found()) {
      const std::string name(found.flag->name);
      given_.push_back(found.flag);
      if (found.values.size() > 1 && found.flag->values != Flag::Values::many) {
        return "flag " + name + " is there more than once";
      }
      for (const std::string& value : found.values) {
        if (auto problem = take_value(*found.flag, value)) {
          return problem;
        }
      }
      draft_.run.given[name.substr(2)] = found.flag->is_switch() ? "true" : join(found.values, " ");
    }
    return std::nullopt;
  }

  Problem take_value(const Flag& flag, const std::string& value) {
    const std::string name(flag.name);
    if (flag.values == Flag::Values::one && value.starts_with("--")) {
      return "flag " + name + " needs a value: " + name + " " + std::string(flag.value) +
             ", found the flag " + shown(value);
    }
    if (value.find('\0') != std::string::npos) {
      return "flag " + name + ": a NUL character is not allowed";
    }
    const auto problem = flag.take(draft_, value);
    return problem ? "flag " + name + ": " + shown(*problem) : Problem{};
  }

  Problem take_arguments() {
    const auto& arguments = words_.arguments();
    switch (verb_.verb) {
    case Verb::run:
    case Verb::plan:
    case Verb::check:
      return take_targets(arguments);
    case Verb::report:
      return no_more(arguments, 0, draft_.report.from.empty() ? "flag --from FILE is missing" : "");
    case Verb::schema:
      return take_schema(arguments);
    }
    return std::nullopt;
  }

  Problem take_targets(const std::vector<std::string>& arguments) {
    if (!arguments.empty() && !draft_.load.overrides.targets.empty()) {
      return "flag --targets and TARGET arguments exclude each other: write all of them in one "
             "place";
    }
    const Flag& targets = *find("--targets");
    for (const std::string& argument : arguments) {
      if (auto problem = targets.take(draft_, argument)) {
        return one_line(*problem);
      }
    }
    return std::nullopt;
  }

  Problem take_schema(const std::vector<std::string>& arguments) {
    if (arguments.empty()) {
      return "which schema: plan or events?";
    }
    if (arguments[0] != "plan" && arguments[0] != "events") {
      return "unknown schema \"" + shown(arguments[0]) + '"' +
             did_you_mean(arguments[0], {"plan", "events"});
    }
    schema_.name = arguments[0] == "plan" ? SchemaName::plan : SchemaName::events;
    return no_more(arguments, 1, "");
  }

  Problem no_more(const std::vector<std::string>& arguments, std::size_t allowed,
                  std::string otherwise) const {
    if (arguments.size() > allowed) {
      return "unexpected argument \"" + shown(arguments[allowed]) + '"';
    }
    if (has_nix_arguments_) {
      return "-- and NIX ARGS have no meaning here";
    }
    return otherwise.empty() ? Problem{} : Problem{std::move(otherwise)};
  }

  Options result() {
    switch (verb_.verb) {
    case Verb::run:
      static_cast<LoadOptions&>(draft_.run) = std::move(draft_.load);
      return std::move(draft_.run);
    case Verb::plan:
      static_cast<LoadOptions&>(draft_.plan) = std::move(draft_.load);
      return std::move(draft_.plan);
    case Verb::check:
      return CheckOptions{std::move(draft_.load)};
    case Verb::report:
      return std::move(draft_.report);
    case Verb::schema:
      break;
    }
    return schema_;
  }

  const VerbInfo& verb_;
  std::vector<const Flag*> flags_;
  Words words_;
  std::vector<std::string> own_;
  std::vector<const Flag*> given_;
  bool has_nix_arguments_ = false;
  OptionsDraft draft_;
  SchemaOptions schema_;
};

UsageError unknown_verb(const std::string& word) {
  std::vector<std::string> names;
  for (const VerbInfo& verb : verbs()) {
    names.emplace_back(verb.name);
  }
  if (word.starts_with('-')) {
    return {"unknown flag " + shown(word) + " before the verb" +
                did_you_mean(word, {"--help", "--version"}),
            ""};
  }
  return {"unknown verb \"" + shown(word) + '"' + did_you_mean(word, names), ""};
}

} // namespace

std::string UsageError::text() const {
  return "belay: " + message + "\nsee: belay " + (verb.empty() ? "" : verb + " ") + "--help\n";
}

std::variant<Options, HelpText, UsageError> parse_options(std::span<const std::string> arguments) {
  if (arguments.empty()) {
    return UsageError{"a verb is missing: run, plan, check, report or schema", ""};
  }
  const std::string& first = arguments.front();
  if (first == "--help" || first == "-h") {
    return HelpText{help()};
  }
  if (first == "--version") {
    return HelpText{version_line()};
  }
  const auto verb = std::find_if(verbs().begin(), verbs().end(),
                                 [&](const VerbInfo& info) { return info.name == first; });
  if (verb == verbs().end()) {
    return unknown_verb(first);
  }
  return Parser(*verb, arguments.subspan(1)).parse();
}

} // namespace belay::runner
