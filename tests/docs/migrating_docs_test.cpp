// SPDX-License-Identifier: Apache-2.0
#include "engine/base/file.h"
#include "engine/plan/setting_keys.h"
#include "tests/catch.h"
#include "tests/deploy_rs_flags.h"

// docs/migrating-from-deploy-rs.md leaves nothing of deploy-rs out.

using namespace belay;

namespace {

std::string page() {
  return read_file(BELAY_SOURCE_DIR "/docs/migrating-from-deploy-rs.md", 1 << 20);
}

/// Named as code, as something of deploy-rs's: at the beginning of a row.
void is_named(const std::string& text, const std::string& word) {
  INFO(word);
  CHECK(text.find("`" + word + "`") != std::string::npos);
}

} // namespace

TEST_CASE("migrating: every flag of deploy-rs is named") {
  const auto text = page();
  for (const auto& flag : tests::deploy_rs_flags) {
    is_named(text, flag);
  }
  for (const auto& flag : tests::deploy_rs_short_flags) {
    is_named(text, flag);
  }
}

TEST_CASE("migrating: every setting of deploy-rs is named") {
  const auto text = page();
  for (const auto& key : plan::setting_keys()) {
    if (key.scope == plan::SettingScope::flake_and_file) {
      is_named(text, std::string(key.name));
    }
  }
  for (const char* key : {"hostname", "profiles", "profilesOrder", "path", "profilePath"}) {
    is_named(text, key);
  }
}

TEST_CASE("migrating: every variable that deploy-rs reads is named") {
  const auto text = page();
  for (const char* name : {"LOCAL_KEY", "RUST_LOG", "USER", "PATH", "NIX_SSHOPTS", "NIX_STATE_DIR",
                           "XDG_STATE_HOME", "HOME"}) {
    is_named(text, name);
  }
}
