// SPDX-License-Identifier: Apache-2.0
#include "engine/base/store_path.h"

#include "tests/catch.h"

using belay::StorePath;

TEST_CASE("a store path is parsed into its parts") {
  const auto path = StorePath::parse("/nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-hello-2.12.1");
  REQUIRE(path);
  CHECK(path->name() == "hello-2.12.1");
  CHECK(path->base_name() == "s66mzxpvicwk07gjbjfw9izjfa797vsw-hello-2.12.1");
  CHECK_FALSE(path->is_derivation());
  CHECK(StorePath::parse("/x/s66mzxpvicwk07gjbjfw9izjfa797vsw-a.drv")->is_derivation());
}

TEST_CASE("what is not directly in a store is none") {
  const std::string text = GENERATE(values<std::string>(
      {"", "/", "/nix/store", "/nix/store/", "hello", "/s66mzxpvicwk07gjbjfw9izjfa797vsw-hello",
       "/nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-hello/bin",
       "/nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-",
       "/nix/store/s66mzxpvicwk07gjbjfw9izjfa797vse-hello", // e is not in base 32
       "/nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-a b",
       "/nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-a\nb",
       "nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-a"}));
  INFO(text);
  CHECK_FALSE(StorePath::parse(text));
  CHECK_FALSE(
      StorePath::parse("/nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-" + std::string(212, 'a')));
}
