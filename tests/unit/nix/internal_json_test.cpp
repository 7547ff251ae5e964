// SPDX-License-Identifier: Apache-2.0
#include "engine/base/text.h"
#include "engine/nix/command.h"
#include "engine/nix/log_follower.h"
#include "tests/catch.h"

namespace belay::nix {
namespace {

using Kind = LogRecord::Kind;
using Strings = std::vector<std::string>;

const std::string drv = "/nix/store/nvq7qg6zv973cm0l7vbcxpg70jjhi9fi-bad.drv";
const std::string other_drv = "/nix/store/9q5mayj6ksxv6ljx0w3ximcrccmjrmmn-g1.drv";

std::string start(int id, const std::string& derivation) {
  return R"(@nix {"action":"start","fields":[")" + derivation + R"(","",1,1],"id":)" +
         std::to_string(id) + R"(,"level":3,"text":"building","type":105})";
}
std::string log_line(int id, const std::string& text) {
  return R"(@nix {"action":"result","fields":[")" + text + R"("],"id":)" + std::to_string(id) +
         R"(,"type":101})";
}

} // namespace

TEST_CASE("the known lines of internal-json are read") {
  const auto started = parse_log_line(start(7, drv));
  CHECK(started.kind == Kind::start);
  CHECK(started.type == activity::build);
  CHECK(started.id == 7);
  CHECK(started.subject == drv);
  const auto line = parse_log_line(log_line(7, R"(\u001b[31mred\u001b[0m)"));
  CHECK(line.kind == Kind::log_line);
  CHECK(line.text == "red");
  const auto message = parse_log_line(
      R"(@nix {"action":"msg","column":null,"level":0,"msg":"\u001b[31;1merror:\u001b[0m no","raw_msg":"no"})");
  CHECK(message.kind == Kind::message);
  CHECK(message.text == "error: no");
  CHECK(parse_log_line(R"(@nix {"action":"stop","id":7})").kind == Kind::stop);
}

TEST_CASE("how much a copy will be is read from what Nix counts and expects") {
  std::vector<std::pair<Progress::Kind, std::uint64_t>> told;
  LogFollower log([&](const Progress& said) { told.emplace_back(said.kind, said.number); });
  log.take(R"(@nix {"action":"start","id":5,"level":3,"text":"copying 12 paths","type":103})");
  log.take(R"(@nix {"action":"start","id":6,"level":3,"text":"","type":103})");
  log.take(R"(@nix {"action":"result","fields":[100,4096],"id":5,"type":106})");
  log.take(R"(@nix {"action":"result","fields":[100,8192],"id":5,"type":106})"); // knows better
  log.take(R"(@nix {"action":"result","fields":[101,7],"id":5,"type":106})");    // something else
  log.take(R"(@nix {"action":"result","fields":[100,-7],"id":9,"type":106})");
  log.take(R"(@nix {"action":"result","fields":[100,8],"id":9,"type":106})"); // the next copy
  using Kind = Progress::Kind;
  CHECK(told == std::vector<std::pair<Kind, std::uint64_t>>{{Kind::copy_count, 12},
                                                            {Kind::copy_size, 4096},
                                                            {Kind::copy_size, 8192},
                                                            {Kind::copy_size, 8200}});
}

TEST_CASE("lines that nobody has seen yet are survived") {
  const std::string line = GENERATE(values<std::string>(
      {"",
       "@nix",
       "@nix ",
       "@nix {",
       "@nix []",
       "@nix null",
       "@nix {}",
       "@nix {\"action\":5}",
       "@nix {\"action\":\"start\"}",
       "@nix {\"action\":\"start\",\"type\":105,\"fields\":{}}",
       "@nix {\"action\":\"start\",\"type\":105,\"fields\":[[]],\"id\":\"x\"}",
       "@nix {\"action\":\"start\",\"type\":99999,\"fields\":[1,2],\"id\":18446744073709551615}",
       "@nix {\"action\":\"result\",\"type\":101,\"fields\":[],\"id\":1}",
       "@nix {\"action\":\"result\",\"type\":106,\"fields\":[100],\"id\":1}",
       "@nix {\"action\":\"result\",\"type\":106,\"fields\":[100,\"x\"],\"id\":1}",
       "@nix {\"action\":\"result\",\"type\":101,\"fields\":[7],\"id\":-1}",
       "@nix {\"action\":\"msg\",\"level\":\"high\",\"msg\":{}}",
       "@nix {\"action\":\"dance\"}",
       "@nix {\"action\":\"msg\",\"msg\":\"\xff\xfe\"}",
       "\xff\xfe plain",
       "plain @nix {}",
       "@nix {\"action\":\"msg\",\"level\":1e300,\"msg\":\"x\"}"}));
  INFO("line: " << line);
  LogFollower log(
      [](const Progress& progress) { CHECK(valid_utf8(progress.text) == progress.text); });
  log.take(line);
  log.take(std::string(200000, '[').insert(0, "@nix "));
  log.take(start(1, drv));
  CHECK(log.started(drv));
}

TEST_CASE("what nix-store says of roots, which are not its business here, is not told") {
  Strings told;
  LogFollower follower([&](const Progress& progress) { told.push_back(progress.text); });
  follower.take("warning: you did not specify '--add-root'; the result might be removed by the "
                "garbage collector");
  follower.take("warning: something else");
  CHECK(told == Strings{"warning: something else"});
}

TEST_CASE("what is kept of a log has a bound") {
  LogFollower log({});
  log.take(start(1, drv));
  for (int line = 0; line < 2000; ++line) {
    log.take(log_line(1, "line " + std::to_string(line) + std::string(2000, 'x')));
  }
  CHECK(log.log_tail(drv).size() < 64 * 1024);
  CHECK(log.log_tail(drv).find("line 1999") != std::string::npos);
  CHECK(log.log_tail(drv).find("line 1900x") == std::string::npos);
}

TEST_CASE("an error is put down to the derivation that it is about") {
  CHECK(failed_derivation("error: builder for '" + drv + "' failed with exit code 3") == drv);
  CHECK(failed_derivation("error: hash mismatch in fixed-output derivation '" + drv + "':\n") ==
        drv);
  CHECK(failed_derivation("error: build of '" + drv + "' on 'ssh://b' failed: no space") == drv);
  CHECK(failed_derivation("error: Cannot build '" + drv + "'.\n       Reason: builder failed") ==
        drv);
  CHECK(failed_derivation("error: build of '" + drv + "', '" + other_drv + "' failed").empty());
  CHECK(failed_derivation("error: no space left on device").empty());
  CHECK(failed_derivation(".drv'").empty());
}

TEST_CASE("an error that tells of another one is not taken for the cause") {
  CHECK(tells_of_another("error: 1 dependencies of derivation '" + drv + "' failed to build"));
  CHECK(tells_of_another("error: Cannot build '" + drv + "'.\n  Reason: 1 dependency failed."));
  CHECK(tells_of_another("error: build of '" + drv + "', '" + other_drv + "' failed"));
  CHECK_FALSE(tells_of_another("error: builder for '" + drv + "' failed with exit code 3"));
  CHECK_FALSE(tells_of_another("error: build of '" + drv + "' on 'ssh://b' failed: no space"));
}

TEST_CASE("errors are told apart by what they are about") {
  LogFollower log({});
  const auto error = [&log](const std::string& text) {
    log.take(R"(@nix {"action":"msg","level":0,"msg":"error: )" + text + "\"}");
  };
  error("1 dependencies of derivation '" + other_drv + "' failed to build");
  CHECK(log.errors() == "1 dependencies of derivation '" + other_drv + "' failed to build");
  log.take(R"(@nix {"action":"msg","level":0,"msg":"trace: no error"})");
  error("builder for '" + drv + "' failed");
  error("no space left");
  REQUIRE(log.failures().size() == 2);
  CHECK(log.failures()[0].derivation == drv);
  CHECK(log.general_errors() == "no space left");
  CHECK(log.errors() == "builder for '" + drv + "' failed\nno space left");
}

TEST_CASE("only the build's own arguments are kept") {
  CHECK(build_arguments({"--impure", "-j", "4", "--override-input", "--option", "x", "--option",
                         "--impure", "-L", "--builders", "ssh://b"}) ==
        Strings{"-j", "4", "--option", "--impure", "-L", "--builders", "ssh://b"});
  CHECK(build_arguments({"--override-input", "a"}).empty());
  CHECK(build_arguments({"--option"}) == Strings{"--option"});
}

TEST_CASE("an error is cut to what a person reads, its beginning and its end") {
  CHECK(readable_error("\x1b[31;1merror:\x1b[0m  no \n") == "no");
  // As Nix 2.26 has it.
  CHECK(readable_error(
            "error:\n       … while calling the 'seq' builtin\n         at «string»:1:1:\n\n"
            "       error: no such kernel\n         at flake.nix:3:5:") ==
        "no such kernel\n         at flake.nix:3:5:\n       … while calling the 'seq' builtin\n"
        "         at «string»:1:1:");
  CHECK(readable_error("error: one\nerror: two") == "one\nerror: two");
  CHECK(readable_error("error:").empty());
  std::string longest = "error: cause\n";
  for (int line = 0; line < 1000; ++line) {
    longest += "trace " + std::to_string(line) + "\n";
  }
  const auto text = readable_error(longest + "the end");
  CHECK(text.starts_with("cause\n"));
  CHECK(text.ends_with("the end"));
  CHECK(split(text, '\n').size() < 30);
  CHECK(readable_error(std::string(1 << 20, 'x')).size() < 8000);
}

} // namespace belay::nix
