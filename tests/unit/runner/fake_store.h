// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"
#include "engine/nix/nix_store.h"

#include <map>
#include <set>

// A Nix that knows what each flake evaluates to and which paths are valid. Loading a plan asks for
// nothing else; whatever else is asked for fails the test.

namespace belay::runner {

class FakeStore final : public nix::NixStore {
public:
  std::map<std::string, std::string> outputs; ///< flake -> JSON; absent = evaluation fails
  std::set<std::string> valid_paths;
  std::vector<nix::EvaluateRequest> requests;
  std::map<std::string, nix::LockedFlake> locks; ///< absent = the flake cannot be had
  std::set<std::string> substitutable;
  std::vector<std::string> rooted;
  std::vector<std::string> checked; ///< flakes
  std::vector<nix::FailedCheck> failing_checks;

  std::string evaluate(const nix::EvaluateRequest& request, const nix::ProgressSink&,
                       const Wait& wait) override {
    wait.cancel.throw_if_cancelled();
    requests.push_back(request);
    const auto found = outputs.find(request.flake);
    if (found == outputs.end()) {
      throw Error(ErrorKind::evaluation_failed, "evaluating " + request.flake + ": no such flake");
    }
    return found->second;
  }
  std::vector<nix::FailedCheck> check(const nix::EvaluateRequest& request, const nix::ProgressSink&,
                                      const Wait&) override {
    checked.push_back(request.flake);
    return failing_checks;
  }
  void sign(const StorePath&, const std::filesystem::path&, const Wait&) override {
    throw unexpected();
  }
  void keep(const StorePath&, const std::filesystem::path&, const Wait&) override {
    throw unexpected();
  }
  std::vector<bool> valid(const std::vector<StorePath>& paths, const Wait&) override {
    std::vector<bool> result;
    for (const StorePath& path : paths) {
      result.push_back(valid_paths.contains(path.string()));
    }
    return result;
  }
  nix::LockedFlake lock(const std::string& flake, const std::vector<std::string>&,
                        const Wait&) override {
    const auto found = locks.find(flake);
    if (found == locks.end()) {
      throw Error(ErrorKind::evaluation_failed, "locking the flake " + flake + ": no such flake");
    }
    return found->second;
  }
  std::vector<bool> substitute(const std::vector<StorePath>& paths, const std::vector<std::string>&,
                               const nix::ProgressSink&, const Wait& wait) override {
    for (const StorePath& path : paths) {
      if (substitutable.contains(path.string())) {
        valid_paths.insert(path.string());
      }
    }
    return valid(paths, wait);
  }
  std::string version(const Wait&) override { throw unexpected(); }
  std::vector<nix::BuildResult> build(const std::vector<nix::BuildGoal>&,
                                      const std::vector<std::string>&, const nix::ProgressSink&,
                                      const Wait&) override {
    throw unexpected();
  }
  std::optional<bool> has_program(const StorePath&,
                                  const std::vector<std::string>&) const override {
    throw unexpected();
  }
  std::optional<std::string> system_of(const StorePath&) const override { throw unexpected(); }
  bool mentions(const StorePath&, std::string_view, const Wait&) override { throw unexpected(); }
  void root(const std::vector<StorePath>& paths, const Wait&) override {
    for (const StorePath& path : paths) {
      rooted.push_back(path.string());
    }
  }
  StorePath add_file(const std::filesystem::path&, const Wait&) override { throw unexpected(); }
  std::vector<StorePath> missing_paths(const std::vector<StorePath>&, const std::string&,
                                       const Wait&) override {
    throw unexpected();
  }
  std::uint64_t archive_bytes(const std::vector<StorePath>&, const Wait&) override {
    throw unexpected();
  }
  nix::CopyOutcome copy(const nix::CopyRequest&, const nix::ProgressSink&, const Wait&) override {
    throw unexpected();
  }
  nix::TargetBuildOutcome build_there(const nix::TargetBuildRequest&, const nix::ProgressSink&,
                                      const Wait&) override {
    throw unexpected();
  }

private:
  static Error unexpected() { return {ErrorKind::internal, "the plan asks for this nowhere"}; }
};

inline const std::string hash_part = "/nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-";

/// A flake with one node of one profile; `context` as builtins.getContext gives it.
inline std::string flake_json(const std::string& node, const std::string& context = "{}") {
  return R"({"generic": {"sshUser": "root"}, "nodes": {")" + node +
         R"(": {"selected": true, "ok": true, "profileNames": ["system"], "value": {
           "hostname": "h", "profiles": {"system": {"path": ")" +
         hash_part + R"(x", "context": )" + context + "}}}}}}";
}

inline std::string built() {
  return R"({")" + hash_part + R"(x.drv": {"outputs": ["out"]}})";
}

} // namespace belay::runner
