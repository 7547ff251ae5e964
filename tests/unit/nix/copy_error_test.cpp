// SPDX-License-Identifier: Apache-2.0
#include "engine/nix/copy_error.h"

#include "tests/catch.h"

using belay::nix::lacks_signature;
using belay::nix::met_another_copy;

// Real sentences; a real daemon that says them is asked by tests/fleet/scenarios/trust.py.

TEST_CASE("a path that nobody has signed is found in what Nix says, whichever it is") {
  CHECK(lacks_signature(
            "error: cannot add path '/nix/store/x-a' because it lacks a valid signature") ==
        "/nix/store/x-a");
  CHECK(
      lacks_signature("copying 1 paths\nerror: cannot add path '/nix/store/x-a' because it lacks a "
                      "signature by a trusted key") == "/nix/store/x-a");
  CHECK(
      lacks_signature("cannot add path '\x1b[35;1m/nix/store/x-a\x1b[0m' because it lacks a valid "
                      "signature") == "/nix/store/x-a");
  CHECK_FALSE(lacks_signature("error: derivation 'x' lacks an 'outputName' attribute"));
  CHECK_FALSE(lacks_signature("error: unexpected end-of-file"));
  CHECK_FALSE(lacks_signature(""));
}

TEST_CASE(
    "a copy that met another one of the same path is known by what the daemon took for a path") {
  CHECK(met_another_copy("error: not an absolute path: 'nix-archive-1'"));
  CHECK(met_another_copy("error: not an absolute path: '\x1b[35;1mnix-archive-1\x1b[0m'"));
  CHECK_FALSE(met_another_copy("error: not an absolute path: 'app'"));
  CHECK_FALSE(met_another_copy(""));
}

TEST_CASE("a store whose first users are several makes some of them fail, and that passes") {
  CHECK(met_another_copy("error: creating symlink from '/nix/var/nix/gcroots/profiles' to "
                         "'/nix/var/nix/profiles': File exists"));
  CHECK(met_another_copy("error: SQLite database '/nix/var/nix/db/db.sqlite' is busy"));
  CHECK(met_another_copy("error: '\x1b[35;1m/nix/var/nix/db/schema\x1b[0m' is corrupt"));
  CHECK_FALSE(met_another_copy("error: creating symlink from '/nix/store/x' to '/y': File exists"));
  CHECK_FALSE(met_another_copy("error: path '/nix/store/x' is corrupt"));
}
