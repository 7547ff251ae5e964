// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/activate_rs_options.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "tests/catch.h"

using namespace belay::agent;
using std::chrono::seconds;

TEST_CASE("activate-rs: deploy-rs's command lines") {
  const std::string closure = "/nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-x";
  const auto parse = [&](const std::string& text) {
    return parse_activate_rs(belay::split_white_space(text));
  };
  const auto activate = std::get<ActivateRsActivate>(
      parse("-d --log-dir /l activate " + closure +
            " --profile-path /p --temp-path /tmp "
            "--confirm-timeout 30 --magic-rollback --auto-rollback --dry-activate --boot"));
  CHECK(activate.closure.string() == closure);
  CHECK(activate.profile.path == "/p");
  CHECK(activate.temp_path == "/tmp");
  CHECK(activate.confirm_timeout == seconds(30));
  CHECK((activate.magic_rollback && activate.auto_rollback));
  CHECK((activate.dry_activate && activate.boot));
  const auto wait = std::get<ActivateRsWait>(parse("wait " + closure + " --temp-path /tmp"));
  CHECK(wait.activation_timeout == seconds(240));
  const auto revoke = std::get<ActivateRsRevoke>(
      parse("--debug-logs revoke --profile-user=app --profile-name web"));
  CHECK(revoke.profile.user == "app");
  CHECK(revoke.profile.name == "web");
  for (const std::string text :
       {"", "deactivate", "activate", "activate /etc/passwd --temp-path /t --confirm-timeout 1",
        "wait", "revoke", "revoke --profile-user app",
        "revoke --profile-user ../x --profile-name y",
        "revoke --profile-path /p --profile-user app --profile-name y", "revoke --profile-path p",
        "revoke --profile-path /p --boot", "revoke --profile-path /p --temp-path /t",
        "revoke --profile-path"}) {
    INFO(text);
    CHECK_THROWS_AS(parse(text), belay::Error);
  }
  for (const std::string text : {" --temp-path /t", " --temp-path /t --activation-timeout 65536",
                                 " --temp-path t", "", " --temp-path /t --sudo x", " more"}) {
    const bool good = text == " --temp-path /t";
    INFO(text);
    if (good) {
      CHECK_NOTHROW(parse("wait " + closure + text));
    } else {
      CHECK_THROWS_AS(parse("wait " + closure + text), belay::Error);
    }
  }
}
