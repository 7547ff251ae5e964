// SPDX-License-Identifier: Apache-2.0
#include "engine/nix/source.h"

#include "engine/base/error.h"
#include "engine/nix/command.h"

#include <filesystem>

namespace belay::nix {

namespace {

using plan::SourceKind;

/// Nix as the user has set it up, without the features that we switch on everywhere else.
bool has_flakes(ProcessRunner& runner, const Wait& wait) {
  const auto result = runner.run(nix_process({"nix", "eval", "--expr", "builtins.getFlake"}), wait);
  throw_if_stopped(result, "asking whether Nix has flakes");
  return result.succeeded();
}

bool can_be_imported(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored) ||
         std::filesystem::exists(path / "default.nix", ignored);
}

} // namespace

Source source_of(ProcessRunner& runner, SourceKind kind, const std::string& name,
                 const ProgressSink& sink, const Wait& wait) {
  if (kind == SourceKind::file || !can_be_imported(name) || has_flakes(runner, wait)) {
    return {kind, name};
  }
  if (sink) {
    sink({.derivation = {},
          .text = "this Nix has flakes switched off: " + name + " is imported, as --file does"});
  }
  return {SourceKind::file, name};
}

std::string attribute_of(const Source& source, std::string_view attribute) {
  return source.name + (source.kind == SourceKind::flake ? "#" : ": ") + std::string(attribute);
}

std::string imported(const Source& source) {
  std::error_code failed;
  const auto path = std::filesystem::absolute(source.name, failed).lexically_normal();
  if (failed || !std::filesystem::exists(path, failed)) {
    throw Error(ErrorKind::evaluation_failed, source.name + " is not there to be imported");
  }
  return "(let found = import (/. + " + plan::nix_string(path.string()) +
         "); in if builtins.isFunction found then found { } else found)";
}

std::vector<std::string> evaluate_command(const Source& source, std::string_view attribute,
                                          const std::string& function,
                                          const std::vector<std::string>& nix_arguments) {
  if (source.kind == SourceKind::flake) {
    auto argv = nix_command("eval");
    argv.insert(argv.end(), nix_arguments.begin(), nix_arguments.end());
    argv.insert(argv.end(), {"--json", "--log-format", "internal-json", "--apply", function, "--",
                             attribute_of(source, attribute)});
    return argv;
  }
  std::vector<std::string> argv{"nix-instantiate", "--eval", "--strict", "--json",
                                "--read-write-mode"}; // else derivations would not be written
  const auto arguments = classic_arguments(nix_arguments);
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  argv.insert(argv.end(),
              {"--log-format", "internal-json", "-E",
               "(" + function + ") (" + imported(source) + "." + std::string(attribute) + ")"});
  return argv;
}

} // namespace belay::nix
