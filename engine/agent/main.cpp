// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/activate_rs.h"
#include "engine/agent/deploy_log.h"
#include "engine/agent/fault_point.h"
#include "engine/agent/host.h"
#include "engine/agent/keep.h"
#include "engine/agent/serve.h"
#include "engine/agent/status.h"
#include "engine/agent/store.h"
#include "engine/agent/version.h"
#include "engine/base/error.h"
#include "engine/base/system_name.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace {

namespace agent = belay::agent;

constexpr const char* help =
    R"(belay-agent: switches, activates, confirms and rolls back Nix profiles on this machine

  belay-agent serve        talk to a runner over stdin and stdout, one JSON object a line
  belay-agent store        serve this machine's Nix store over stdin and stdout
  belay-agent keep TX      own a transaction until it has ended (started by serve)
  belay-agent recover [TX] end what no living keeper owns: confirmed, or back to what ran before
  belay-agent status       how transactions on this machine stand; --json for programs
  belay-agent status --log [TX]
                           what was done in the last deploys, or in one, and what its scripts printed

Options
  --state-directory DIR    where transactions are kept (default: $NIX_STATE_DIR/belay for root,
                           ${XDG_STATE_HOME:-~/.local/state}/belay for others)
  --restart                keep, recover: begin again in a new process where this one dies
  --version, --help

Called as activate-rs, it takes the command line of deploy-rs's: activate, wait, revoke.

Exit codes: 0 done, 1 no such transaction or the other side is gone, 2 usage, 3 could not be done,
            127 no nix-daemon to serve the store
)";

struct Options {
  std::string verb;
  std::optional<std::string> transaction;
  std::optional<std::filesystem::path> state_directory;
  bool json = false;
  bool log = false;
  bool restart = false;
};

[[noreturn]] void wrong(const std::string& what) {
  throw belay::Error(belay::ErrorKind::usage, what + "; see belay-agent --help");
}

Options parse(const std::vector<std::string>& words) {
  Options options;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--state-directory" && i + 1 < words.size()) {
      options.state_directory = words[++i];
    } else if (words[i] == "--json") {
      options.json = true;
    } else if (words[i] == "--log") {
      options.log = true;
    } else if (words[i] == "--restart") {
      options.restart = true;
    } else if (words[i] == "--help" || words[i] == "--version") {
      options.verb = words[i];
      return options;
    } else if (words[i].starts_with('-')) {
      wrong("unknown option " + words[i]);
    } else if (options.verb.empty()) {
      options.verb = words[i];
    } else if (!options.transaction) {
      options.transaction = words[i];
    } else {
      wrong("too many arguments");
    }
  }
  return options;
}

std::filesystem::path state_directory(const Options& options) {
  return options.state_directory ? *options.state_directory : agent::default_state_directory();
}

agent::TransactionFiles files_of(const Options& options) {
  if (!options.transaction || !agent::is_transaction_id(*options.transaction)) {
    wrong("this needs the id of a transaction");
  }
  return {state_directory(options), *options.transaction};
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

int keep(const Options& options, belay::ProcessRunner& processes, belay::Clock& clock) {
  const auto verb = options.verb == "keep" ? agent::KeeperVerb::keep : agent::KeeperVerb::recover;
  return options.restart ? agent::keep_restarting(files_of(options), verb, processes, clock)
                         : agent::keep(files_of(options), verb, processes, clock);
}

int print_log(const Options& options) {
  if (!options.transaction) {
    print(agent::all_deploy_logs(state_directory(options)));
    return 0;
  }
  const auto log = agent::deploy_log(files_of(options));
  print(log.value_or(""));
  return log ? 0 : 1;
}

int run(const Options& options) {
  belay::PosixProcessRunner processes;
  belay::SystemClock clock;
  if (options.verb == "--help") {
    print(help);
  } else if (options.verb == "--version") {
    print(std::string("belay-agent ") + agent::version + " (" + belay::system_name() + ")\n");
  } else if (options.verb == "serve") {
    const auto host = agent::look_around(options.state_directory, processes, clock);
    umask(022); // what scripts get is in the record
    return agent::serve(STDIN_FILENO, STDOUT_FILENO, host);
  } else if (options.verb == "store") {
    return agent::serve_store();
  } else if (options.verb == "keep" || (options.verb == "recover" && options.transaction)) {
    return keep(options, processes, clock);
  } else if (options.verb == "recover") {
    return agent::recover_all(state_directory(options), processes);
  } else if (options.verb == "status" && options.log) {
    return print_log(options);
  } else if (options.verb == "status") {
    print(options.json ? agent::describe_all_as_json(state_directory(options), clock)
                       : agent::describe_all(state_directory(options), clock));
  } else {
    wrong(options.verb.empty() ? "a verb is missing" : "unknown verb " + options.verb);
  }
  return 0;
}

/// As deploy-rs knows it: every error exits 1.
int run_as_activate_rs(const std::vector<std::string>& words) {
  belay::PosixProcessRunner processes;
  belay::SystemClock clock;
  const auto command = agent::parse_activate_rs(words);
  const auto host = agent::look_around({}, processes, clock);
  umask(022); // what scripts get is in the record
  return agent::activate_rs(command, host);
}

/// By the name under which it was called; but a keeper that it starts has that name too.
bool is_for_deploy_rs(std::string_view program, const std::vector<std::string>& words) {
  constexpr std::array own{"serve", "keep", "recover", "status", "--help", "--version"};
  const auto is_own = [&](const std::string& word) {
    return std::find(own.begin(), own.end(), word) != own.end();
  };
  return program.substr(program.rfind('/') + 1) == "activate-rs" &&
         (words.empty() || !is_own(words.front()));
}

} // namespace

int main(int count, char** words) {
  signal(SIGHUP, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGCHLD, SIG_DFL); // ignored, as some parents leave it, exit statuses would be lost
  const std::vector<std::string> arguments(words + std::min(count, 1), words + count);
  if (!arguments.empty() && agent::told_fault_points(arguments.front())) {
    return 0;
  }
  const bool for_deploy_rs = is_for_deploy_rs(words[0], arguments);
  try {
    return for_deploy_rs ? run_as_activate_rs(arguments) : run(parse(arguments));
  } catch (const belay::Error& error) {
    std::fprintf(stderr, "belay-agent: %s\n", error.what());
    return for_deploy_rs ? 1 : error.kind() == belay::ErrorKind::usage ? 2 : 3;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "belay-agent: %s\n", error.what());
    return for_deploy_rs ? 1 : 3;
  }
}
