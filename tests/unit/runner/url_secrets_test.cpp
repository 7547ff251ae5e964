// SPDX-License-Identifier: Apache-2.0
#include "runner/url_secrets.h"
#include "tests/catch.h"

namespace belay::runner {
namespace {

using Secrets = std::vector<std::string>;

} // namespace

TEST_CASE("url secrets: a password, and over http a name that stands alone") {
  CHECK(url_secrets("git+https://oauth2:SECRET@127.0.0.1:1/x.git") == Secrets{"SECRET"});
  CHECK(url_secrets("git+https://ghp_abc@github.com/o/r?ref=main") == Secrets{"ghp_abc"});
  CHECK(url_secrets("https://ghp_abc:x-oauth-basic@github.com/o/r.tar.gz") ==
        Secrets{"x-oauth-basic", "ghp_abc"});
  CHECK(url_secrets("https://ghp_abc:@github.com/o/r") == Secrets{"ghp_abc"});
  CHECK(url_secrets("https://me:p%40ss@host/x") == Secrets{"p%40ss", "p@ss"});
  CHECK(url_secrets("https://me:abc@host/x") == Secrets{"me:abc@"}); // too short to mask alone
}

TEST_CASE("url secrets: a login, a path and Nix's own parameters are none") {
  for (const char* text :
       {".", "github:o/r", "git+ssh://git@github.com/o/r?ref=main", "ssh://deploy@host:22/x",
        "git+file:///work?rev=1&narHash=sha256-A", "https://host/a@b/c?dir=sub&publicKey=AAAA",
        "path:/x?lastModified=1", "https://host/?token", "://", "https://"}) {
    INFO(text);
    CHECK(url_secrets(text).empty());
    CHECK(without_url_secrets(text) == text);
  }
  CHECK(url_secrets("git+ssh://git:SECRET@host/x") == Secrets{"SECRET"});
}

TEST_CASE("url secrets: parameters that are tokens, whatever they are called") {
  for (const char* name :
       {"token", "access_token", "private_token", "private-token", "job_token", "password", "key",
        "sig", "X-Amz-Signature", "api_key", "client_secret"}) {
    INFO(name);
    const std::string url = std::string("https://host/x.tar.gz?ref=main&") + name + "=SECRET#a";
    CHECK(url_secrets(url) == Secrets{"SECRET"});
    CHECK(without_url_secrets(url) == "https://host/x.tar.gz?ref=main#a");
  }
}

TEST_CASE("url secrets: every URL of a text is looked at") {
  CHECK(url_secrets("flake: \"https://u:FIRST@h/x\"\n- 'git+https://SECOND@h/y' # u:no@e\n") ==
        Secrets{"FIRST", "SECOND"});
}

TEST_CASE("url secrets: what is left of a reference leads to the same place") {
  CHECK(without_url_secrets("git+https://oauth2:SECRET@h:1/x.git?ref=a&token=T&rev=1") ==
        "git+https://h:1/x.git?ref=a&rev=1");
  CHECK(without_url_secrets("git+https://ghp_abc@h/x?access_token=T") == "git+https://h/x");
  CHECK(without_url_secrets("git+ssh://git:SECRET@h/x") == "git+ssh://git@h/x");
  CHECK(without_url_secrets("git+file:///my work/x?dir=a b#c") == "git+file:///my work/x?dir=a b#c");
}

} // namespace belay::runner
