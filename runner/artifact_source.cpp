// SPDX-License-Identifier: Apache-2.0
#include "runner/artifact_source.h"

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/text.h"
#include "engine/plan/flake_output.h"
#include "engine/plan/wording.h"
#include "runner/load_plan.h"
#include "runner/url_secrets.h"

#include <algorithm>
#include <map>

namespace belay::runner {

namespace {

/// 10,000 nodes with ten profiles each, of a kilobyte.
constexpr std::size_t largest_artifact = 256 << 20;

/// One profile of the plan whose path cannot be had.
struct Missing {
  plan::Node* node;
  plan::Profile* profile;
};

std::string name_of(const Missing& missing) {
  return "node " + plan::in_quotes(missing.node->name) + ", profile " +
         plan::in_quotes(missing.profile->name);
}

/// Whether a step of the run can work from what the store has. A target builds from derivations
/// only.
bool is_enough(const plan::Profile& profile, const std::map<StorePath, bool>& valid) {
  const bool can_build = profile.derivation && valid.at(*profile.derivation);
  return can_build || (valid.at(profile.path) && !profile.remote_build);
}

/// What a substituter could give instead.
const StorePath& wanted_path(const plan::Profile& profile) {
  return profile.remote_build && profile.derivation ? *profile.derivation : profile.path;
}

/// Finds out what is missing and gets it back, or says what comes out differently.
class Recovery {
public:
  Recovery(Artifact& artifact, const std::vector<std::string>& nix_arguments, nix::NixStore& store,
           const nix::ProgressSink& sink, const Wait& wait)
      : artifact_(artifact), nix_arguments_(nix_arguments), store_(store), sink_(sink),
        wait_(wait) {}

  std::optional<std::string> run() {
    for (plan::Node& node : artifact_.plan.nodes) {
      for (plan::Profile& profile : node.profiles) {
        if (!node.skip) {
          missing_.push_back({&node, &profile});
        }
      }
    }
    leave_what_is_there();
    substitute();
    for (const PlannedFlake& flake : artifact_.flakes) {
      evaluate(flake);
    }
    for (const Missing& missing : missing_) {
      complain(name_of(missing) + ": " + missing.profile->path.string() +
               " is not in the store, and the artifact does not name its flake");
    }
    return problems_.empty() ? std::nullopt : std::optional(join(problems_, "\n"));
  }

private:
  void complain(std::string problem) { problems_.push_back(std::move(problem)); }

  /// Roots come first: what is valid must not go while we look.
  void leave_what_is_there() {
    std::vector<StorePath> paths;
    for (const Missing& missing : missing_) {
      paths.push_back(missing.profile->path);
      if (missing.profile->derivation) {
        paths.push_back(*missing.profile->derivation);
      }
    }
    if (paths.empty()) {
      return;
    }
    store_.root(paths, wait_);
    const auto answers = store_.valid(paths, wait_);
    std::map<StorePath, bool> valid;
    for (std::size_t i = 0; i < paths.size(); ++i) {
      valid[paths[i]] = answers[i];
    }
    std::erase_if(missing_,
                  [&](const Missing& missing) { return is_enough(*missing.profile, valid); });
  }

  void substitute() {
    if (missing_.empty()) {
      return;
    }
    std::vector<StorePath> paths;
    for (const Missing& missing : missing_) {
      paths.push_back(wanted_path(*missing.profile));
    }
    const auto valid = store_.substitute(paths, nix_arguments_, sink_, wait_);
    std::vector<Missing> still;
    for (std::size_t i = 0; i < missing_.size(); ++i) {
      if (!valid[i]) {
        still.push_back(missing_[i]);
      }
    }
    missing_ = std::move(still);
  }

  void evaluate(const PlannedFlake& flake) {
    std::vector<Missing> wanted;
    std::erase_if(missing_, [&](const Missing& missing) {
      const bool ours = missing.node->flake == flake.reference;
      if (ours) {
        wanted.push_back(missing);
      }
      return ours;
    });
    if (wanted.empty()) {
      return;
    }
    try {
      require_same_source(flake);
      compare(wanted, output_of(flake, wanted));
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::cancelled || error.kind() == ErrorKind::deadline_exceeded) {
        throw;
      }
      complain(name_of(wanted.front()) + ": " + wanted.front().profile->path.string() +
               " is not in the store, nor is what builds it, and no substituter has it; " +
               error.message());
    }
  }

  void require_same_source(const PlannedFlake& flake) {
    const auto now = store_.lock(flake.lock.url, nix_arguments_, wait_);
    if (now.nar_hash != flake.lock.nar_hash) {
      throw Error(ErrorKind::evaluation_failed,
                  "flake " + flake.lock.url + " is not what was planned: its narHash was " +
                      flake.lock.nar_hash + " and is " + now.nar_hash);
    }
  }

  plan::FlakeOutput output_of(const PlannedFlake& flake, const std::vector<Missing>& wanted) {
    nix::EvaluateRequest request{flake.lock.url, {}, nix_arguments_};
    for (const Missing& missing : wanted) {
      request.selection.push_back({flake.lock.url, missing.node->name, missing.profile->name});
    }
    plan::Diagnostics problems;
    auto output =
        plan::parse_flake_output(store_.evaluate(request, sink_, wait_), flake.lock.url, problems);
    for (const plan::Diagnostic& problem : problems) {
      if (problem.severity == plan::Diagnostic::Severity::error) {
        complain(problem.message);
      }
    }
    return output;
  }

  void compare(const std::vector<Missing>& wanted, const plan::FlakeOutput& output) {
    for (const Missing& missing : wanted) {
      const auto node = output.nodes.find(missing.node->name);
      if (node != output.nodes.end() && !node->second.evaluated) {
        complain(name_of(missing) + " could not be evaluated: " + one_line(node->second.error));
        continue;
      }
      const auto* profile = node == output.nodes.end() ? nullptr : find(node->second, missing);
      if (!profile) {
        complain(name_of(missing) + " is not in the locked flake " + output.flake);
      } else if (profile->path != missing.profile->path.string()) {
        complain(name_of(missing) + ": the locked flake gives " + one_line(profile->path.value_or("nothing")) +
                 " where " + missing.profile->path.string() + " was planned");
      } else if (profile->derivations.size() == 1) {
        missing.profile->derivation = StorePath::parse(profile->derivations.front());
      }
    }
  }

  static const plan::FlakeProfile* find(const plan::FlakeNode& node, const Missing& missing) {
    const auto found = node.profiles.find(missing.profile->name);
    return found == node.profiles.end() ? nullptr : &found->second;
  }

  Artifact& artifact_;
  const std::vector<std::string>& nix_arguments_;
  nix::NixStore& store_;
  const nix::ProgressSink& sink_;
  const Wait& wait_;
  std::vector<Missing> missing_; ///< still
  std::vector<std::string> problems_;
};

} // namespace

ArtifactSource::ArtifactSource(const RunOptions& options)
    : file_(options.plan_artifact.value_or("")), reports_(options.overrides.reports),
      nix_arguments_(options.nix_arguments) {
  try {
    artifact_ = read_artifact(read_file(file_, largest_artifact));
    obey(options.overrides);
  } catch (const Error& error) {
    plan::Diagnostic problem;
    problem.code = error.kind() == ErrorKind::system ? "unreadable-file" : "bad-artifact";
    problem.message = "the plan artifact " + file_ + " cannot be deployed: " + error.message();
    problem.file = file_;
    problems_.push_back(std::move(problem));
  }
}

/// How fast it goes is for the run to say; a limit that was reviewed is never exceeded.
void ArtifactSource::obey(const plan::Overrides& overrides) {
  plan::Policy& policy = artifact_.plan.policy;
  policy.parallel = overrides.parallel.value_or(policy.parallel);
  policy.limits.copy = std::min(policy.limits.copy, policy.parallel);
  policy.limits.activate = std::min(policy.limits.activate, policy.parallel);
  policy.grace = overrides.grace.value_or(policy.grace);
  policy.lock_wait = overrides.lock_wait.value_or(policy.lock_wait);
  policy.deadline = overrides.deadline.value_or(policy.deadline);
}

std::set<std::string> ArtifactSource::sudo_password_variables() const {
  std::set<std::string> names;
  for (const plan::Node& node : artifact_.plan.nodes) {
    for (const plan::Profile& profile : node.profiles) {
      const auto& source = profile.sudo_password;
      if (source && source->kind == plan::SecretSource::Kind::variable) {
        names.insert(source->name);
      }
    }
  }
  return names;
}

/// One that somebody made by hand may hold some.
std::vector<std::string> ArtifactSource::secrets() const {
  std::vector<std::string> texts = nix_arguments_;
  for (const PlannedFlake& flake : artifact_.flakes) {
    texts.push_back(flake.reference);
    texts.push_back(flake.lock.url);
  }
  texts.insert(texts.end(), artifact_.plan.flakes.begin(), artifact_.plan.flakes.end());
  return url_secrets(join(texts, "\n"));
}

PlanSource::Made ArtifactSource::make(nix::NixStore& store, const nix::ProgressSink& sink,
                                      const Wait& wait) {
  if (!problems_.empty()) {
    return {};
  }
  Made made;
  made.evaluation_error = Recovery(artifact_, nix_arguments_, store, sink, wait).run();
  made.plan = artifact_.plan;
  made.plan.reports = reports_;
  if (!made.evaluation_error) {
    for (plan::Diagnostic& problem : check_paths(made.plan, store, wait)) {
      problems_.push_back(std::move(problem));
    }
    if (auto warning = warn_of_remote_builds(made.plan, nix_arguments_)) {
      problems_.push_back(std::move(*warning));
    }
  }
  return made;
}

} // namespace belay::runner
