// SPDX-License-Identifier: Apache-2.0
#include "runner/help.h"

#include "engine/base/text.h"
#include "engine/event/exit_code.h"
#include "runner/version.h"

#include <algorithm>

namespace belay::runner {
namespace {

constexpr std::size_t width = 96;
constexpr std::size_t flag_column = 30; ///< where descriptions begin

/// `text` as lines that begin at `indent` and end before `width`.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::string result;
  std::size_t column = indent;
  for (const std::string& word : split_white_space(text)) {
    if (column > indent && column + 1 + word.size() > width) {
      result += '\n' + std::string(indent, ' ');
      column = indent;
    }
    if (column > indent) {
      result += ' ';
      ++column;
    }
    result += word;
    column += word.size();
  }
  return result;
}

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

/// Two columns; a left side that is too long has a line of its own.
std::string entry(const std::string& left, std::string_view right, std::size_t column) {
  const std::size_t length = width_of(left);
  const std::string gap =
      length + 2 > column ? "\n" + std::string(column, ' ') : std::string(column - length, ' ');
  return left + gap + wrapped(right, column) + "\n";
}

std::string flag_entry(const Flag& flag) {
  std::string left = flag.short_name != 0 ? std::string("  -") + flag.short_name + ", " : "      ";
  left += flag.name;
  if (!flag.is_switch()) {
    left += " " + std::string(flag.value);
  }
  return entry(left, flag.description, flag_column);
}

std::string flag_section(Verb verb) {
  std::string text;
  const auto flags = flags_of(verb);
  for (const std::string_view group : flag_groups()) {
    std::string entries;
    for (const Flag* flag : flags) {
      entries += flag->group == group ? flag_entry(*flag) : "";
    }
    if (!entries.empty()) {
      text += "\n" + std::string(group) + ":\n" + entries;
    }
  }
  return text;
}

bool loads_a_plan(Verb verb) {
  return verb == Verb::run || verb == Verb::plan || verb == Verb::check;
}

constexpr std::string_view target_story =
    "\nTARGET is FLAKE[#NODE[.PROFILE]], as in deploy-rs; default: the plan file's, else the "
    "flake\n"
    "in this folder. Arguments after -- go to nix for evaluation and build.\n"
    "Settings count in this order: flags, the plan file's profile, node and settings, the flake's\n"
    "profile, node and deploy, belay's default.\n";

std::string exit_code_section() {
  constexpr std::size_t column = 8;
  std::string text = "\nExit codes:\n";
  for (const event::ExitCodeInfo& info : event::exit_codes()) {
    const std::string number = std::to_string(static_cast<int>(info.code));
    text += entry(std::string(6 - number.size(), ' ') + number, info.meaning, column);
  }
  return text;
}

constexpr std::string_view read_on =
    "\nRead on: docs/cli.md (this command line), belay schema plan (the plan file's keys),\n"
    "docs/exit-codes.md.\n";

} // namespace

std::string help() {
  std::string text = "belay deploys Nix profiles to machines from a CI job.\n\n"
                     "Usage: belay VERB [FLAGS] [ARGUMENTS]\n"
                     "       belay VERB --help\n"
                     "       belay --version\n\nVerbs:\n";
  for (const VerbInfo& verb : verbs()) {
    text += entry("  " + std::string(verb.name), verb.summary, 12);
  }
  text += "\nExamples:\n";
  for (const std::string_view example : info_of(Verb::run).examples) {
    text += "  " + std::string(example) + "\n";
  }
  return text + exit_code_section() + std::string(read_on);
}

std::string help_of(Verb verb) {
  const VerbInfo& info = info_of(verb);
  std::string text = "Usage: belay " + std::string(info.name) + " " + std::string(info.usage) +
                     "\n\n" + std::string(info.story) + "\n";
  text += loads_a_plan(verb) ? std::string(target_story) : "";
  text += "\nExamples:\n";
  for (const std::string_view example : info.examples) {
    text += "  " + std::string(example) + "\n";
  }
  text += flag_section(verb);
  text += loads_a_plan(verb) ? exit_code_section() : "";
  return text + std::string(read_on);
}

std::string version_line() {
  return "belay " + std::string(version) + "\n";
}

} // namespace belay::runner
