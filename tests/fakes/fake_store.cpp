// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "tests/fakes/fake_world.h"

#include <utility>

// The runner's Nix: what it builds and copies is a word in the sets of the world.

namespace belay::fakes {

namespace {

class FakeStore final : public nix::NixStore {
public:
  explicit FakeStore(FakeWorld& world) : world_(world) {}
  std::string version(const Wait&) override { return "2.8.0"; }
  std::string evaluate(const nix::EvaluateRequest&, const nix::ProgressSink&,
                       const Wait&) override {
    return "{}";
  }
  nix::LockedFlake lock(const std::string& flake, const std::vector<std::string>&,
                        const Wait&) override {
    return {flake, "sha256-", true};
  }
  std::vector<bool> substitute(const std::vector<StorePath>& paths, const std::vector<std::string>&,
                               const nix::ProgressSink&, const Wait& wait) override {
    return valid(paths, wait);
  }
  std::vector<nix::BuildResult> build(const std::vector<nix::BuildGoal>& goals,
                                      const std::vector<std::string>&, const nix::ProgressSink&,
                                      const Wait& wait) override {
    wait.cancel.throw_if_cancelled();
    const std::lock_guard lock(world_.mutex);
    std::vector<nix::BuildResult> results;
    for (const auto& goal : goals) {
      nix::BuildResult result;
      result.cached = world_.local_store.contains(goal.output.string());
      result.valid = result.cached || !world_.unbuildable.contains(goal.output.string());
      if (result.valid) {
        world_.local_store.insert(goal.output.string());
      } else {
        result.error = "builder failed with exit code 1\nlast line of its log";
      }
      results.push_back(result);
    }
    return results;
  }
  std::vector<nix::FailedCheck> check(const nix::EvaluateRequest&, const nix::ProgressSink&,
                                      const Wait&) override {
    return {};
  }
  void sign(const StorePath& path, const std::filesystem::path& key, const Wait&) override {
    const std::lock_guard lock(world_.mutex);
    if (world_.bad_keys.contains(key)) {
      throw Error(ErrorKind::sign_failed,
                  "signing " + path.string() + ": " + key.string() + " is no key");
    }
    world_.signed_by[path.string()] = key;
  }
  void keep(const StorePath& path, const std::filesystem::path& link, const Wait&) override {
    const std::lock_guard lock(world_.mutex);
    if (world_.unwritable.contains(link)) {
      throw Error(ErrorKind::system, "keeping " + path.string() + ": read-only file system");
    }
    world_.links[link] = path.string();
  }
  std::vector<bool> valid(const std::vector<StorePath>& paths, const Wait&) override {
    const std::lock_guard lock(world_.mutex);
    std::vector<bool> result;
    for (const auto& path : paths) {
      result.push_back(world_.local_store.contains(path.string()));
    }
    return result;
  }
  std::optional<bool> has_program(const StorePath& path,
                                  const std::vector<std::string>& names) const override {
    const std::lock_guard lock(world_.mutex);
    if (!world_.local_store.contains(path.string())) {
      return std::nullopt;
    }
    return names.front() == "belay-agent" ? world_.bringing.contains(path.string())
                                          : !world_.inert.contains(path.string());
  }
  std::optional<std::string> system_of(const StorePath& derivation) const override {
    const std::lock_guard lock(world_.mutex);
    const auto found = world_.systems.find(derivation.string());
    return found == world_.systems.end() ? std::nullopt : std::optional(found->second);
  }
  bool mentions(const StorePath& derivation, std::string_view, const Wait&) override {
    const std::lock_guard lock(world_.mutex);
    return world_.mentioning.contains(derivation.string());
  }
  void root(const std::vector<StorePath>&, const Wait&) override {}
  StorePath add_file(const std::filesystem::path&, const Wait&) override {
    const std::lock_guard lock(world_.mutex);
    const auto path = fake_path("belay-agent");
    world_.local_store.insert(path.string());
    return path;
  }
  std::vector<StorePath> missing_paths(const std::vector<StorePath>& paths, const std::string&,
                                       const Wait&) override {
    return paths;
  }
  std::uint64_t archive_bytes(const std::vector<StorePath>&, const Wait&) override { return 0; }
  nix::CopyOutcome copy(const nix::CopyRequest& request, const nix::ProgressSink&,
                        const Wait& wait) override {
    wait.cancel.throw_if_cancelled();
    const std::lock_guard lock(world_.mutex);
    nix::CopyOutcome outcome;
    if (request.store_uri == "closed:") {
      outcome.process.status = 1;
      outcome.process.err = "error: unexpected end-of-file";
      return outcome;
    }
    const auto bar = request.store_uri.find('|');
    const auto colon = request.store_uri.find(':') + 1;
    auto& host = world_.hosts.at(request.store_uri.substr(colon, bar - colon));
    for (const auto& path : request.paths) {
      if (!world_.local_store.contains(path.string())) {
        outcome.process.status = 1;
        outcome.process.err = "error: path '" + path.string() + "' is not valid";
        return outcome;
      }
      if (host.store.insert(path.string()).second) {
        outcome.copied.push_back(path.string());
        host.checked_signatures = request.check_signatures;
        host.brought_by[path.string()] = request.store_uri.substr(bar + 1);
      }
    }
    return outcome;
  }
  nix::TargetBuildOutcome build_there(const nix::TargetBuildRequest& request,
                                      const nix::ProgressSink&, const Wait& wait) override {
    wait.cancel.throw_if_cancelled();
    const std::lock_guard lock(world_.mutex);
    const auto colon = request.store_uri.find(':') + 1;
    auto& host =
        world_.hosts.at(request.store_uri.substr(colon, request.store_uri.find('|') - colon));
    const auto& output = request.goal.output.string();
    nix::TargetBuildOutcome outcome;
    outcome.result.valid = outcome.result.cached = host.store.contains(output);
    if (outcome.result.valid) {
      return outcome;
    }
    if (host.refuses_sources) {
      outcome.sources.process.status = 1;
      outcome.sources.process.err = "error: no space left on device";
      return outcome;
    }
    if (host.while_building) {
      std::exchange(host.while_building, {})();
    }
    wait.cancel.throw_if_cancelled();
    if (!host.reachable) {
      throw Error(ErrorKind::system, "looking into the store: nix-store exited with 1");
    }
    host.built_with = request.capacity;
    outcome.result.valid = !world_.unbuildable.contains(output);
    if (outcome.result.valid) {
      host.store.insert(output);
      host.built.insert(output);
    } else {
      outcome.result.error = "builder failed with exit code 1\nlast line of its log";
    }
    return outcome;
  }

private:
  FakeWorld& world_;
};

} // namespace

std::unique_ptr<nix::NixStore> FakeWorld::store() {
  return std::make_unique<FakeStore>(*this);
}

} // namespace belay::fakes
