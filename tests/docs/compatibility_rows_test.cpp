// SPDX-License-Identifier: Apache-2.0
#include "engine/base/file.h"
#include "tests/catch.h"

#include <set>
#include <string>

// What a drop-in for deploy-rs must read and accept, row by row, and which test holds belay to it:
// a table to look things up in, whose tests have to be there. Those whose names begin with the
// number of a section hold all rows of a table at once.

using namespace belay;

namespace {

struct Row {
  const char* row;
  const char* file; ///< below tests/
  const char* test; ///< its name
};

constexpr Row rows[] = {
    // input
    {"5.1 flake: one evaluation, arguments after --", "unit/nix/evaluate_test.cpp",
     "the user's Nix arguments reach the evaluation"},
    {"5.1 without a flake: -f FILE", "fleet/scenarios/checks.py", "a_file_without_a_flake"},
    {"5.1 nodes, hostname, profiles, path are required", "unit/plan/compatibility_test.cpp",
     "5.1: a missing key is named: nodes, hostname, profiles, path"},
    {"5.1 unknown keys are ignored", "unit/plan/compatibility_test.cpp",
     "5.1: null is absent, and unknown keys are nobody's business"},
    {"5.1 each generic key, its type", "unit/plan/compatibility_test.cpp",
     "5.1: a wrong type of any key, at any level, names node, profile and key"},
    {"5.1 each generic key, its default", "unit/plan/precedence_test.cpp",
     "the built-in defaults are deploy-rs's"},
    {"5.1 each generic key, its meaning", "unit/plan/compatibility_test.cpp",
     "5.1: each generic key does what deploy-rs's documentation says, from any level"},
    {"5.1 user: sshUser, else an error", "unit/plan/compatibility_test.cpp",
     "5.1: user is sshUser where only that is set, and neither is an error"},
    {"5.1 interactiveSudo", "fleet/scenarios/sudo.py", "with_a_password"},
    {"5.1 merge: profile, node, deploy", "fleet/scenarios/flakes.py",
     "settings_at_all_three_levels"},
    {"5.1 merge: sshOpts concatenate", "unit/plan/compatibility_test.cpp",
     "5.1: sshOpts are the profile's, then the node's, then deploy's"},
    {"5.1 order: profilesOrder first", "unit/plan/compatibility_test.cpp",
     "5.1: profilesOrder first, then by name; twice is once; an unknown name is an error"},
    // targets
    {"5.2 REPO#NODE.PROFILE", "unit/plan/target_test.cpp",
     "targets are read as deploy-rs reads them"},
    {"5.2 a third part is an error", "unit/plan/target_test.cpp",
     "a target that is none is a usage error that names it"},
    {"5.2 a lone quoted node", "unit/runner/compatibility_test.cpp",
     "5.2: a lone quoted node is one, and a third part is a usage error"},
    {"5.2 --targets A B C", "unit/runner/options_test.cpp",
     "deploy-rs's --targets takes all words up to the next flag"},
    // flags
    {"5.3 each flag", "unit/runner/compatibility_test.cpp",
     "5.3: each flag of deploy-rs is taken, under its own name, for what it says"},
    {"5.3 each flag is documented", "docs/migrating_docs_test.cpp",
     "migrating: every flag of deploy-rs is named"},
    {"5.3 the flags are above the flake", "unit/plan/compatibility_test.cpp",
     "5.3: what the command line says of settings is above all else"},
    {"5.3 --temp-path: taken, used for nothing", "unit/runner/compatibility_test.cpp",
     "--temp-path"},
    {"5.3 --keep-result, --result-path", "fleet/scenarios/checks.py", "what_was_built_is_kept"},
    {"5.3 --checksigs", "fleet/scenarios/trust.py", "signatures_are_checked"},
    {"5.3 --skip-checks", "fleet/scenarios/checks.py", "before_the_deploy"},
    {"5.3 --ssh-opts may begin with a dash", "unit/runner/options_test.cpp",
     "ssh-opts may begin with a dash, also alone and empty"},
    {"5.3 --dry-activate", "fleet/scenarios/modes.py", "dry_run"},
    {"5.3 --boot", "fleet/scenarios/modes.py", "for_the_next_boot"},
    {"5.3 --dry-activate with --boot", "unit/runner/compatibility_test.cpp",
     "5.3: --dry-activate with --boot is a usage error, and does not merely say so"},
    {"5.3 --rollback-succeeded", "fleet/scenarios/rollback.py", "stop_rolls_back_those_before"},
    {"5.3 --auto-rollback false", "fleet/scenarios/rollback.py", "without_auto_rollback"},
    // build and copy
    {"5.4 the derivation of a path", "unit/nix/evaluate_test.cpp",
     "an evaluation brings settings, store path and derivation together"},
    {"5.4 LOCAL_KEY", "fleet/scenarios/trust.py", "a_local_key"},
    {"5.4 the copy asks the target's caches or not", "unit/nix/copy_test.cpp",
     "a copy brings the whole closure over one connection"},
    {"5.4 remoteBuild", "fleet/scenarios/remote_build.py", "builds_there"},
    {"5.4 nothing in a closure activates it", "fleet/scenarios/closures.py",
     "nothing_activates_it"},
    // what a closure provides
    {"5.5 deploy-rs-activate: folder, PROFILE, DRY_ACTIVATE, BOOT", "unit/agent/scripts_test.cpp",
     "scripts: as deploy-rs runs them"},
    {"5.5 the activate-rs of any deploy-rs is let be", "fleet/scenarios/closures.py",
     "any_deploy_rs"},
    {"5.5 lib: its functions", "install/flake_test.py", "def lib"},
    {"5.5 lib: its scripts", "install/flake_test.py", "def closures"},
    {"5.5 lib: deployChecks", "install/flake_test.py", "def checks"},
    {"5.5 outputs by deploy-rs's names", "install/flake_test.py", "def by_the_names_of_deploy_rs"},
    // activate-rs
    {"5.6 activate, wait, revoke: their words", "unit/agent/activate_rs_options_test.cpp",
     "activate-rs: deploy-rs's command lines"},
    {"5.6 the conversation over three logins", "fleet/scenarios/deploy_rs.py",
     "confirmed_refused_revoked"},
    // profiles
    {"5.7 path of a profile", "unit/agent/nix_test.cpp",
     "5.7: the path of a profile, by deploy-rs's rules"},
    {"5.7 another user's, in the state folder", "fleet/scenarios/users.py", "per_user_profile"},
    {"5.7 another user's, in the home", "fleet/scenarios/users.py", "profile_in_the_home"},
    {"5.7 HOME is the owner's", "unit/agent/host_test.cpp",
     "host: another user's home, name and folders are not kept (5.7, 5.10)"},
    // sudo and ssh
    {"5.8 sudo: only for another user", "fleet/scenarios/sudo.py", "another_user"},
    {"5.8 sudo: any command and its words", "unit/steps/agent_client_test.cpp",
     "5.8: any command that takes a user's name and a program becomes that user"},
    {"5.8 doas", "fleet/scenarios/sudo.py", "doas"},
    {"5.8 runuser", "fleet/scenarios/compatibility.py", "runuser"},
    {"5.8 run0", "fleet/scenarios/systemd_users.py", "by_run0"},
    {"5.8 ssh: sshOpts and a port", "fleet/scenarios/compatibility.py", "ssh_opts_and_a_port"},
    {"5.8 ssh: an alias of ssh_config", "fleet/scenarios/compatibility.py",
     "an_alias_of_ssh_config"},
    {"5.8 ssh: keys of each type, RSA among them", "unit/ssh/authentication_test.cpp",
     "every usual type of key file logs in"},
    // magic rollback
    {"5.9 the canary's removal confirms", "unit/agent/activate_rs_canary_test.cpp",
     "activate-rs: confirmed by removing the canary, and only by that"},
    {"5.9 rm succeeds if and only if the profile stays", "fleet/scenarios/deploy_rs.py",
     "login_stopped"},
    {"5.9 a stale canary", "unit/agent/activate_rs_canary_test.cpp",
     "activate-rs: what stands at the canary's place already"},
    {"5.9 revoke", "unit/agent/activate_rs_test.cpp",
     "activate-rs: revoke goes back to what that activation replaced"},
    // environment
    {"5.10 USER", "unit/runner/compatibility_test.cpp",
     "5.10: the local user's name is $USER's, as the ssh user where nobody names one"},
    {"5.10 PATH without Nix on the target", "fleet/scenarios/compatibility.py", "no_nix_in_path"},
    {"5.10 PATH: where Nix is looked for", "unit/agent/nix_test.cpp",
     "5.10: Nix is found in PATH, else where installers put it, also without a login shell"},
    {"5.10 each variable is documented", "docs/migrating_docs_test.cpp",
     "migrating: every variable that deploy-rs reads is named"},
};

/// "5.3" of "5.3 each flag".
std::string section_of(const Row& row) {
  const std::string text = row.row;
  return text.substr(0, text.find(' '));
}

} // namespace

TEST_CASE("compatibility: each row has a test, which is there") {
  std::set<std::string> sections, named;
  for (const auto& row : rows) {
    INFO(row.row);
    const auto text = read_file(BELAY_SOURCE_DIR "/tests/" + std::string(row.file), 1 << 20);
    INFO(row.file << ": " << row.test);
    const std::string name = row.test;
    const bool python = std::string(row.file).ends_with(".py") && !name.starts_with("def ");
    CHECK(text.find(python ? "def " + name + "(" : name) != std::string::npos);
    CHECK(named.insert(row.row).second);
    sections.insert(section_of(row));
  }
  CHECK(sections.size() == 10);
}
