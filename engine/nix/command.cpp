// SPDX-License-Identifier: Apache-2.0
#include "engine/nix/command.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <algorithm>
#include <array>

namespace belay::nix {

namespace {

constexpr std::size_t batch_bytes = 128 * 1024;
constexpr std::size_t longest_line = 1 << 20; // a message with a long trace is one JSON line
/// Nix ends its builders when it is told to; this is below the shortest grace time of a CI system.
constexpr Duration term_grace = std::chrono::seconds(4);
constexpr std::size_t head_lines = 8; // the cause comes first
constexpr std::size_t tail_lines = 16;
constexpr std::size_t error_bytes = 6000;

struct Flag {
  std::string_view name;
  std::size_t operands;
};

/// Flags of `nix eval` and `nix build` that `nix-store` refuses (nix3-build.md, nix-store.md).
constexpr std::array evaluation_flags = {
    Flag{"--impure", 0},
    Flag{"--override-input", 2},
    Flag{"--update-input", 1},
    Flag{"--no-update-lock-file", 0},
    Flag{"--no-write-lock-file", 0},
    Flag{"--recreate-lock-file", 0},
    Flag{"--commit-lock-file", 0},
    Flag{"--no-registries", 0},
    Flag{"--inputs-from", 1},
    Flag{"--override-flake", 2},
    Flag{"--reference-lock-file", 1},
    Flag{"--output-lock-file", 1},
    Flag{"--include", 1},
    Flag{"-I", 1},
    Flag{"--arg", 2},
    Flag{"--argstr", 2},
    Flag{"--arg-from-file", 2},
    Flag{"--arg-from-stdin", 1},
    Flag{"--eval-store", 1},
    Flag{"--refresh", 0},
    Flag{"--offline", 0},
    Flag{"--debugger", 0},
    Flag{"--print-build-logs", 0},
    Flag{"-L", 0},
    Flag{"--log-format", 1},
    Flag{"--read-only", 0},
    Flag{"--no-link", 0},
    Flag{"--print-out-paths", 0},
};

std::string first_lines_and_last(const std::vector<std::string>& lines) {
  if (lines.size() <= head_lines + tail_lines) {
    return join(lines, "\n");
  }
  const std::span<const std::string> all(lines);
  return join(all.first(head_lines), "\n") + "\n  [...]\n" + join(all.last(tail_lines), "\n");
}

constexpr std::string_view error_prefix = "error:";

/// Nix 2.8 says what is wrong and then how it came to that; later releases (2.26) begin with a bare
/// "error:", tell how they came there, and what is wrong comes last, as an "error: …" of its own.
void put_cause_first(std::vector<std::string>& lines) {
  const auto cause = std::find_if(lines.rbegin(), lines.rend(), [](const std::string& line) {
    return trim(line).starts_with(error_prefix);
  });
  if (lines.empty() || trim(lines.front()) != error_prefix || cause == lines.rend()) {
    return;
  }
  const auto begin = std::prev(cause.base());
  *begin = trim(*begin);
  std::rotate(lines.begin(), begin, lines.end());
  std::erase_if(lines, [](const std::string& line) { return trim(line) == error_prefix; });
}

} // namespace

std::vector<std::string> nix_command(std::string_view verb) {
  std::vector<std::string> argv = split_white_space(verb);
  argv.insert(argv.begin(), "nix");
  argv.insert(argv.end(), {"--extra-experimental-features", "nix-command flakes"});
  return argv;
}

ProcessSpec nix_process(std::vector<std::string> argv) {
  ProcessSpec spec;
  spec.argv = std::move(argv);
  spec.line_cap = longest_line;
  spec.term_grace = term_grace;
  return spec;
}

void throw_if_stopped(const ProcessResult& result, const std::string& what) {
  if (result.end == ProcessResult::End::cancelled) {
    throw Error(ErrorKind::cancelled, what + " was cancelled");
  }
  if (result.end == ProcessResult::End::timed_out) {
    throw Error(ErrorKind::deadline_exceeded, what + " took too long");
  }
}

std::string run_query(ProcessRunner& runner, ProcessSpec spec, const Wait& wait,
                      const std::string& what) {
  spec.output_cap = 64 << 20; // a list of paths; the closure of a big system is some megabytes
  ProcessResult result = runner.run(spec, wait);
  throw_if_stopped(result, what);
  if (!result.succeeded()) {
    const std::string message = readable_error(result.err);
    throw Error(ErrorKind::system, what + ": " + spec.argv.front() + " " + result.describe() +
                                       (message.empty() ? "" : ": " + message));
  }
  if (result.truncated) {
    throw Error(ErrorKind::system, what + ": " + spec.argv.front() + " said too much");
  }
  return std::move(result.out);
}

std::vector<std::vector<StorePath>> batches(std::span<const StorePath> paths) {
  std::vector<std::vector<StorePath>> result;
  std::size_t room = 0;
  for (const StorePath& path : paths) {
    const std::size_t cost = path.string().size() + 1 + sizeof(char*);
    if (result.empty() || room < cost) {
      result.emplace_back();
      room = batch_bytes;
    }
    room -= std::min(room, cost);
    result.back().push_back(path);
  }
  return result;
}

std::vector<std::string> build_arguments(const std::vector<std::string>& nix_arguments) {
  std::vector<std::string> kept;
  for (std::size_t at = 0; at < nix_arguments.size(); ++at) {
    const auto* flag =
        std::find_if(evaluation_flags.begin(), evaluation_flags.end(),
                     [&](const Flag& candidate) { return candidate.name == nix_arguments[at]; });
    if (flag != evaluation_flags.end()) {
      at += flag->operands;
      continue;
    }
    kept.push_back(nix_arguments[at]);
    if (nix_arguments[at] == "--option") { // its operands may look like anything
      for (int operand = 0; operand < 2 && at + 1 < nix_arguments.size(); ++operand) {
        kept.push_back(nix_arguments[++at]);
      }
    }
  }
  return kept;
}

std::vector<std::string> classic_arguments(std::vector<std::string> nix_arguments) {
  std::erase_if(nix_arguments, [](const std::string& argument) {
    return argument == "-L" || argument == "--print-build-logs"; // they print them anyway
  });
  return nix_arguments;
}

std::string readable_error(std::string_view text) {
  auto lines = split(trim(clean_text(text)), '\n');
  put_cause_first(lines);
  if (!lines.empty() && lines.front().starts_with(error_prefix)) {
    lines.front() = trim(std::string_view(lines.front()).substr(error_prefix.size()));
  }
  const std::string shortened = first_lines_and_last(lines);
  return std::string(trim(tail(shortened, error_bytes)));
}

} // namespace belay::nix
