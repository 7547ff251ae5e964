// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/protocol.h"

#include "engine/base/error.h"
#include "tests/catch.h"

#include <string>
#include <vector>

using namespace belay::agent;
using belay::Error;
using belay::ErrorKind;
using namespace std::chrono_literals;

namespace {

const std::string awkward = "a \"b\" 'c' $d\n\t\\ \xc3\xa9 {}";

ProfileStatus full_status() {
  return {.name = awkward,
          .profile_path = "/nix/var/nix/profiles/system",
          .state = State::awaiting_confirm,
          .reason = "activation-failed",
          .message = awkward,
          .recorded = {41, "/nix/store/old"},
          .current = {std::nullopt, "/nix/store/new"},
          .made = 42,
          .closure_matches = true,
          .exit_status = 4,
          .signal = "SIGKILL",
          .script_duration = 1234ms,
          .confirm_left = 9ms};
}

PrepareRequest full_prepare() {
  PrepareRequest request{.run = "run", .holder_url = "https://ci/1", .agent = "/nix/store/agent"};
  request.profiles.push_back({.name = awkward,
                              .profile_path = "/somewhere/else",
                              .closure = "/nix/store/x",
                              .auto_rollback = false,
                              .magic_rollback = false,
                              .confirm_timeout = 45s,
                              .activation_timeout = 600s,
                              .boot_after_confirm = true});
  request.profiles.push_back({.name = "system", .closure = "/nix/store/y"});
  return request;
}

void check_line(const std::string& line) {
  INFO(line);
  CHECK(line.size() <= line_limit);
  REQUIRE(line.ends_with('\n'));
  CHECK(line.find('\n') == line.size() - 1);
}

template <class T> T round_trip(const T& body) {
  const auto line = encode(Request{7, body});
  check_line(line);
  const auto request = decode_request(line.substr(0, line.size() - 1));
  CHECK(request.id == 7);
  CHECK(encode(request) == line);
  return std::get<T>(request.body);
}

template <class T> T round_trip_message(const T& message) {
  const auto line = encode(Message(message));
  check_line(line);
  const auto decoded = decode_message(line.substr(0, line.size() - 1));
  CHECK(encode(decoded) == line); // every field that is written is read
  return std::get<T>(decoded);
}

ErrorKind kind_of(const std::string& line, bool request) {
  try {
    if (request) {
      decode_request(line);
    } else {
      decode_message(line);
    }
  } catch (const Error& error) {
    return error.kind();
  }
  FAIL("accepted: " << line);
  return ErrorKind::internal;
}

} // namespace

TEST_CASE("protocol: requests come back as they went") {
  const auto prepare = round_trip(full_prepare());
  REQUIRE(prepare.profiles.size() == 2);
  CHECK(prepare.profiles[0].name == awkward);
  CHECK(prepare.profiles[0].profile_path == "/somewhere/else");
  CHECK_FALSE(prepare.profiles[0].auto_rollback);
  CHECK_FALSE(prepare.profiles[0].magic_rollback);
  CHECK(prepare.profiles[0].confirm_timeout == 45s);
  CHECK(prepare.profiles[0].activation_timeout == 600s);
  CHECK(prepare.profiles[0].boot_after_confirm);
  CHECK_FALSE(prepare.profiles[1].boot_after_confirm);
  CHECK_FALSE(prepare.profiles[1].profile_path);
  CHECK(round_trip(ActivateRequest{"tx", awkward}).profile == awkward);
  CHECK(round_trip(ConfirmRequest{"tx", "p"}).transaction == "tx");
  CHECK(round_trip(StateRequest{"tx"}).transaction == "tx");
  CHECK(round_trip(LogRequest{"tx", 8192}).offset == 8192);
  CHECK(round_trip(RevokeRequest{"tx", "p"}).profile == "p");
  CHECK(round_trip(AbandonRequest{"tx"}).transaction == "tx");
  CHECK(round_trip(FinishRequest{"tx"}).transaction == "tx");
}

TEST_CASE("protocol: messages come back as they went") {
  const auto hello = round_trip_message(
      Hello{protocol_version, "0.1.0", "x86_64-linux", awkward, 1000, "session", "boot:1:2:"});
  CHECK(hello.user == awkward);
  CHECK(hello.uid == 1000);
  CHECK(hello.state_id == "boot:1:2:");
  const auto changed = round_trip_message(StatusChanged{"tx", full_status()});
  CHECK(changed.profile.name == awkward);
  CHECK(changed.profile.state == State::awaiting_confirm);
  CHECK(changed.profile.recorded.number == 41);
  CHECK_FALSE(changed.profile.current.number);
  CHECK(changed.profile.script_duration == 1234ms);
  CHECK(changed.profile.signal == "SIGKILL");
  CHECK(round_trip_message(ScriptOutput{"tx", "p", awkward}).text == awkward);
  round_trip_message(Heartbeat{});
}

TEST_CASE("protocol: replies come back as they went") {
  TransactionStatus status{.transaction = "tx",
                           .profiles = {full_status(), {.name = "second"}},
                           .earlier = {{"old", "run-0", {full_status()}}},
                           .details = {{"detach", "session"}, {"drift", awkward}}};
  const auto reply = round_trip_message(Reply{3, status});
  CHECK(reply.id == 3);
  const auto& decoded = std::get<TransactionStatus>(reply.body);
  CHECK(decoded.profiles.size() == 2);
  CHECK(decoded.earlier.at(0).run == "run-0");
  CHECK(decoded.details.at("drift") == awkward);
  round_trip_message(Reply{4, Accepted{}});
  const auto decision = round_trip_message(Reply{5, Decision{State::confirmed, full_status()}});
  CHECK(std::get<Decision>(decision.body).state == State::confirmed);
  const auto refusal =
      round_trip_message(Reply{6, Refusal{"lock-held", awkward, {{"run", "run-0"}}}});
  CHECK(std::get<Refusal>(refusal.body).details.at("run") == "run-0");
}

TEST_CASE("protocol: every state has a name that leads back to it") {
  for (const auto state :
       {State::prepared, State::switched, State::activated, State::awaiting_confirm,
        State::setting_boot_default, State::confirmed, State::failed, State::rolling_back,
        State::rolled_back, State::rollback_failed, State::superseded}) {
    CHECK(state_from(name_of(state)) == state);
  }
  CHECK_FALSE(state_from("rolled_back"));
  CHECK(is_final(State::confirmed));
  CHECK_FALSE(is_final(State::rolling_back));
  CHECK_FALSE(is_final(State::setting_boot_default));
}

TEST_CASE("protocol: what an older one does not say is off") {
  auto line = encode(Request{1, full_prepare()});
  const std::string field = "\"boot_after_confirm\":true,";
  REQUIRE(line.find(field) != std::string::npos);
  line.erase(line.find(field), field.size());
  CHECK_FALSE(std::get<PrepareRequest>(decode_request(line).body).profiles[0].boot_after_confirm);
}

TEST_CASE("protocol: garbage is an error that shows it") {
  const std::vector<std::string> lines = {
      "",
      "hello",
      "{",
      "[]",
      "null",
      "{}",
      R"({"id":1})",
      R"({"id":"1","request":"state","transaction":"x"})",
      R"({"id":1,"request":"explode","transaction":"x"})",
      R"({"id":1,"request":"activate","transaction":"x"})",
      R"({"id":1,"request":"activate","transaction":5,"profile":"p"})",
      R"({"id":1e30,"request":"state","transaction":"x"})",
      R"({"id":1,"request":"prepare","run":"r","holder_url":"","agent":"","profiles":{}})",
      R"({"id":1,"request":"prepare","run":"r","holder_url":"","agent":"","profiles":[1]})",
      std::string("{\"id\":1,\"request\":\"\xff\xfe\"}"),
  };
  for (const auto& line : lines) {
    CHECK(kind_of(line, true) == ErrorKind::protocol);
    CHECK(kind_of(line, false) == ErrorKind::protocol);
  }
  CHECK(kind_of(R"({"reply":1,"kind":"decision","state":"great","profile":{}})", false) ==
        ErrorKind::protocol);
  try {
    decode_message("sh: nix-env: not found");
  } catch (const Error& error) {
    CHECK(error.message().find("sh: nix-env: not found") != std::string::npos);
  }
}

TEST_CASE("protocol: a timeout that would overflow is refused") {
  auto request = full_prepare();
  request.profiles[0].activation_timeout = std::chrono::seconds(std::int64_t{1} << 60);
  CHECK(kind_of(encode(Request{1, request}), true) == ErrorKind::protocol);
}

TEST_CASE("protocol: bytes that are no UTF-8 do not break a line") {
  const auto line = encode(Message(ScriptOutput{"tx", "p", "a\xff\xc3(b"}));
  check_line(line);
  CHECK(std::get<ScriptOutput>(decode_message(line)).text.starts_with("a\xef\xbf\xbd"));
}

TEST_CASE("protocol: no line is longer than the limit") {
  check_line(encode(Message(ScriptOutput{"tx", "p", std::string(200'000, '\x01')})));
  TransactionStatus status{.transaction = "tx"};
  for (int i = 0; i < 60; ++i) {
    status.profiles.push_back(full_status());
    status.profiles.back().message = std::string(5000, 'x');
    status.earlier.push_back({"tx", "run", {full_status()}});
  }
  const auto line = encode(Message(Reply{9, status}));
  check_line(line);
  const auto reply = std::get<Reply>(decode_message(line));
  CHECK(reply.id == 9);
  CHECK(std::get<TransactionStatus>(reply.body).profiles.size() == 60);
  CHECK_THROWS_AS(encode(Request{1, ActivateRequest{"tx", std::string(70'000, 'x')}}), Error);
}

TEST_CASE("protocol: Hello is told from the noise before it") {
  CHECK(looks_like_hello(encode(Message(Hello{}))));
  CHECK_FALSE(looks_like_hello("Welcome to host!"));
  CHECK_FALSE(looks_like_hello("{\"belay-agent\""));
  CHECK_FALSE(looks_like_hello("see \"belay-agent\" {}"));
  CHECK_FALSE(looks_like_hello(""));
  // A later version may say other things; its number has to be read all the same.
  const auto later = decode_message(R"({"belay-agent":2,"colour":"blue"})");
  CHECK(std::get<Hello>(later).protocol == 2);
}

TEST_CASE("protocol: the id of a request that is not known") {
  CHECK(id_of_request(R"({"id":7,"request":"of a version to come"})") == 7);
  CHECK(id_of_request(R"({"id":"7"})") == 0);
  CHECK(id_of_request(R"({"request":"state"})") == 0);
  CHECK(id_of_request("[7]") == 0);
  CHECK(id_of_request("") == 0);
  CHECK(id_of_request("{\"id\":7") == 0);
}
