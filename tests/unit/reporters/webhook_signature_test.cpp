// SPDX-License-Identifier: Apache-2.0
#include "reporters/webhook_signature.h"

#include "engine/base/error.h"
#include "tests/catch.h"
#include "tests/unit/reporters/webhook_bench.h"

using namespace belay;
using namespace belay::reporters;
using belay::test::webhook_secret;

TEST_CASE("the signature is the standard's, and moves with every byte") {
  const std::vector<std::string> keys{webhook_key(webhook_secret)};
  const std::string id = "msg_p5jXN8AQM9LWM0D4loKWxJek", body = R"({"test": 2432232314})";
  const std::string good = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
  CHECK(webhook_signature(keys, id, "1614265330", body) == good);
  CHECK(webhook_signature(keys, id, "1614265331", body) != good);
  CHECK(webhook_signature(keys, id, "1614265330", body + " ") != good);
  CHECK(webhook_signature(keys, id + "x", "1614265330", body) != good);
  const std::string other = webhook_key("whsec_" + std::string(32, 'A'));
  CHECK(webhook_signature({other}, id, "1614265330", body) != good);
  CHECK(webhook_signature({keys[0], other}, id, "1614265330", body).starts_with(good + " v1,"));
}

TEST_CASE("what is no secret is refused and not shown") {
  for (const std::string& text :
       {std::string(), std::string("whsec_"), std::string("whsec_c2hvcnQ="),
        std::string("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "whsec_" + std::string(32, '!'),
        "whsec_" + std::string(100, 'A'), "whsec_" + std::string(10'000, 'A')}) {
    INFO(text);
    try {
      webhook_key(text);
      FAIL("was accepted");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::secret);
      CHECK((text.size() < 8 || error.message().find(text.substr(6)) == std::string::npos));
    }
  }
  CHECK(webhook_key(webhook_secret + "\n").size() == 24);
}
