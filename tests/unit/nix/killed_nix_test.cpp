// SPDX-License-Identifier: Apache-2.0
#include "engine/nix/local_nix.h"
#include "tests/catch.h"

#include <algorithm>

namespace belay::nix {
namespace {

using Catch::Matchers::Contains;

const std::string one = "/nix/store/nvq7qg6zv973cm0l7vbcxpg70jjhi9fi-one";
const std::string two = "/nix/store/9q5mayj6ksxv6ljx0w3ximcrccmjrmmn-two";

/// A machine on which nothing is valid and every build is killed once it has started `one`.
class KillingRunner final : public ProcessRunner {
public:
  ProcessResult run(const ProcessSpec& spec, const Wait&) override {
    ProcessResult result;
    const auto& argv = spec.argv;
    if (std::find(argv.begin(), argv.end(), "--check-validity") != argv.end()) {
      for (std::size_t at = 3; at < argv.size(); ++at) {
        result.out += argv[at] + "\n";
      }
    } else {
      ++builds;
      spec.on_stderr_line(R"(@nix {"action":"start","fields":[")" + one +
                          R"(.drv"],"id":1,"level":3,"type":105})");
      result.end = ProcessResult::End::signalled;
      result.status = 9;
    }
    return result;
  }
  int builds = 0;
};

} // namespace

TEST_CASE("a Nix that the kernel kills is not started again, and no goal passes for built") {
  KillingRunner runner;
  LocalNix nix(runner);
  const auto goal = [](const std::string& path) {
    return BuildGoal{*StorePath::parse(path + ".drv"), *StorePath::parse(path)};
  };
  const auto results = nix.build({goal(one), goal(two)}, {}, {}, {});
  CHECK(runner.builds == 1);
  for (const auto& result : results) {
    CHECK_FALSE(result.valid);
    CHECK_THAT(result.error, Contains("was killed by SIGKILL"));
  }
  CHECK(results[0].failed_derivation == one + ".drv");
}

} // namespace belay::nix
