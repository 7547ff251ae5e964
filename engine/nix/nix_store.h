// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/cancel.h"
#include "engine/base/process.h"
#include "engine/base/store_path.h"
#include "engine/plan/target.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

// The runner's own Nix: what evaluates, builds, keeps from the garbage collector and copies. Each
// call is one or few `nix` processes, started without a shell. Evaluation and build run with the
// user's own settings and NIX ARGS; the copy runs with settings that belay wrote and nothing else,
// because Nix's unix:// client forwards all of its settings to the target's daemon (post-build-hook
// would run there). What differs between Nix releases lives in this folder and nowhere else.

namespace belay::nix {

/// What is worth saying while Nix works.
struct Progress {
  enum class Kind {
    log,            ///< `text`: a line of a build's or the evaluator's output
    build_started,  ///< `derivation`
    build_finished, ///< `derivation`, `ok`
    build_stopped,  ///< `derivation`; how it ended is not known yet, and will be said
    copying,        ///< `text`: store path
    copy_count,     ///< `number` of paths that the target misses
    copy_size,      ///< `number` of bytes that they are, as archives; Nix 2.8 does not know it
  };
  Kind kind = Kind::log;
  std::string derivation; ///< of a log line: the build that wrote it, empty = Nix itself
  std::string text;
  bool ok = true;
  std::uint64_t number = 0;
};
/// Called by the thread that called into NixStore, while that call runs.
using ProgressSink = std::function<void(const Progress&)>;

struct EvaluateRequest {
  std::string flake;
  std::vector<plan::Target> selection; ///< of this flake; one without a node selects all
  std::vector<std::string> nix_arguments;
  plan::SourceKind kind = plan::SourceKind::flake; ///< what `flake` names
};

/// A check of a flake that did not succeed, or what kept all of them from being made.
struct FailedCheck {
  std::string name;  ///< "checks.x86_64-linux.deploy-schema"; empty where Nix names none
  std::string error; ///< Nix's message and the tail of the log
};

struct BuildGoal {
  StorePath derivation;
  StorePath output;
};

struct BuildResult {
  bool valid = false;  ///< the output is valid now: the only thing that counts
  bool cached = false; ///< it was valid before
  Duration duration{};
  std::string
      failed_derivation; ///< where not valid: the first that failed in this goal's own closure
  std::string error;     ///< its message and the tail of its log
};

struct CopyRequest {
  std::vector<StorePath> paths;
  std::string store_uri;         ///< "unix:///tmp/b.XXXXXX/s"
  bool substitute = true;        ///< the target asks its substituters first
  bool check_signatures = false; ///< `--checksigs`; else unsigned paths go to who trusts us
  bool derivations = false;      ///< the paths are derivations: what builds them goes over
};

struct CopyOutcome {
  ProcessResult process;
  std::vector<std::string> copied; ///< store paths that went over
};

/// How a target builds, as its own nix.conf says; the defaults are Nix's.
struct BuildCapacity {
  unsigned jobs = 1;
  unsigned cores = 0;                    ///< 0 = all that there are
  std::vector<std::string> systems = {}; ///< that it builds for; empty = not known
  std::chrono::seconds silence{0};       ///< after which a build is ended; 0 = never
  bool substitute = true;
  bool fallback = false; ///< builds what a cache failed to give
  bool keep_failed = false;
};

/// A build by the target's Nix, through the tunnel to its store.
struct TargetBuildRequest {
  BuildGoal goal; ///< whose derivation is in the runner's store
  std::string store_uri;
  BuildCapacity capacity;
  bool check_signatures = false;
};

struct TargetBuildOutcome {
  CopyOutcome sources; ///< of derivations and sources; where it failed, nothing was built
  BuildResult result;  ///< as the target's store has it
};

/// A flake as Nix found it. Where its source has no revision (uncommitted changes), `url` leads to
/// whatever is there by then, and only `nar_hash` tells whether it is the same.
struct LockedFlake {
  std::string url;
  std::string nar_hash; ///< of its source, "sha256-…"
  bool locked = false;  ///< `url` itself names one source
  bool operator==(const LockedFlake&) const = default;
};

class NixStore {
public:
  virtual ~NixStore() = default;

  /// "2.8.0". Throws Error{system} where there is no nix, with what to install.
  virtual std::string version(const Wait& wait) = 0;

  /// The JSON of plan/flake_output.h. Throws Error{evaluation_failed} with Nix's message.
  virtual std::string evaluate(const EvaluateRequest& request, const ProgressSink& sink,
                               const Wait& wait) = 0;

  /// What the reference leads to now. Throws Error{evaluation_failed} with Nix's message.
  virtual LockedFlake lock(const std::string& flake, const std::vector<std::string>& nix_arguments,
                           const Wait& wait) = 0;

  /// Fetches these from the user's substituters, where those have them. Returns which are valid
  /// then.
  virtual std::vector<bool> substitute(const std::vector<StorePath>& paths,
                                       const std::vector<std::string>& nix_arguments,
                                       const ProgressSink& sink, const Wait& wait) = 0;

  /// `nix flake check` of what the request names (its selection does not matter), or the `checks`
  /// of this system of a file. What failed; empty = nothing.
  virtual std::vector<FailedCheck> check(const EvaluateRequest& request, const ProgressSink& sink,
                                         const Wait& wait) = 0;

  /// Builds all goals in one go, keeps going after a failure; one result per goal, same order.
  virtual std::vector<BuildResult> build(const std::vector<BuildGoal>& goals,
                                         const std::vector<std::string>& nix_arguments,
                                         const ProgressSink& sink, const Wait& wait) = 0;

  /// Signs a path and all that it refers to with the secret key in a file. Throws
  /// Error{sign_failed}; the message names the file and nothing of what it holds.
  virtual void sign(const StorePath& path, const std::filesystem::path& key_file,
                    const Wait& wait) = 0;

  /// Makes `link` point at a valid path and keep it from the garbage collector for good; folders
  /// are made, a link into the store is replaced. Throws Error{system}.
  virtual void keep(const StorePath& path, const std::filesystem::path& link, const Wait& wait) = 0;

  /// Which of these are valid in the local store.
  virtual std::vector<bool> valid(const std::vector<StorePath>& paths, const Wait& wait) = 0;

  /// Whether one of these names below a valid path is a program. nullopt where that cannot be seen:
  /// the store may be another machine's, or below another root.
  virtual std::optional<bool> has_program(const StorePath& path,
                                          const std::vector<std::string>& names) const = 0;

  /// What system a derivation is built on. nullopt where that cannot be seen.
  virtual std::optional<std::string> system_of(const StorePath& derivation) const = 0;

  /// Whether `word` stands in a derivation or is in a name, among all that this one is made from;
  /// true where that cannot be seen. Reads them all: for rare questions.
  virtual bool mentions(const StorePath& derivation, std::string_view word, const Wait& wait) = 0;

  /// Keeps these (derivations, outputs) from the garbage collector until the store object dies.
  /// Invalid ones are left out.
  virtual void root(const std::vector<StorePath>& paths, const Wait& wait) = 0;

  /// Adds a file, content-addressed and executable as it is (`nix-store --add`).
  virtual StorePath add_file(const std::filesystem::path& file, const Wait& wait) = 0;

  /// What the store at `store_uri` lacks now of the closures of these, which are in the local one.
  virtual std::vector<StorePath> missing_paths(const std::vector<StorePath>& paths,
                                               const std::string& store_uri, const Wait& wait) = 0;
  /// How much these are together as archives (NAR), which is what a copy sends.
  virtual std::uint64_t archive_bytes(const std::vector<StorePath>& paths, const Wait& wait) = 0;

  /// `nix copy` of the closures. A failing copy is a value: the tunnel knows better why.
  virtual CopyOutcome copy(const CopyRequest& request, const ProgressSink& sink,
                           const Wait& wait) = 0;

  /// Copies the derivation with all that it needs, and has it built there; an output that is there
  /// already costs one question. Where the target does not build for the derivation's system, that
  /// is the result, and nothing is copied. The output is nobody's root yet. Throws Error{system}
  /// where Nix cannot ask the target: the tunnel knows why.
  virtual TargetBuildOutcome build_there(const TargetBuildRequest& request,
                                         const ProgressSink& sink, const Wait& wait) = 0;
};

} // namespace belay::nix
