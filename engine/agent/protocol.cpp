// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/protocol.h"

#include "engine/agent/protocol_json.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace belay::agent {

namespace {

constexpr const char* hello_key = "belay-agent";

template <class Function> auto with_line_in_errors(std::string_view line, Function function) {
  try {
    return function(parse_object(line));
  } catch (Error& error) {
    if (!error.message().starts_with("this is not")) {
      error.add_context("in \"" + one_line(line.substr(0, 200)) + "\"");
    }
    throw;
  }
}

// ---- requests ----

template <class T> Json about_profile(const char* kind, const T& request) {
  return {{"request", kind}, {"transaction", request.transaction}, {"profile", request.profile}};
}
template <class T> Json about_transaction(const char* kind, const T& request) {
  return {{"request", kind}, {"transaction", request.transaction}};
}

Json body_json(const PrepareRequest& request) {
  auto json = to_json(request);
  json["request"] = "prepare";
  return json;
}
Json body_json(const ActivateRequest& request) {
  return about_profile("activate", request);
}
Json body_json(const ConfirmRequest& request) {
  return about_profile("confirm", request);
}
Json body_json(const StateRequest& request) {
  return about_transaction("state", request);
}
Json body_json(const RevokeRequest& request) {
  return about_profile("revoke", request);
}
Json body_json(const AbandonRequest& request) {
  return about_transaction("abandon", request);
}
Json body_json(const FinishRequest& request) {
  return about_transaction("finish", request);
}
Json body_json(const LogRequest& request) {
  auto json = about_transaction("log", request);
  json["offset"] = request.offset;
  return json;
}

template <class T> T profile_request(const Json& json) {
  return T{text_at(json, "transaction"), text_at(json, "profile")};
}
template <class T> T transaction_request(const Json& json) {
  return T{text_at(json, "transaction")};
}

RequestBody request_body_from(const Json& json) {
  const auto kind = text_at(json, "request");
  if (kind == "prepare") {
    return prepare_request_from(json);
  }
  if (kind == "activate") {
    return profile_request<ActivateRequest>(json);
  }
  if (kind == "confirm") {
    return profile_request<ConfirmRequest>(json);
  }
  if (kind == "state") {
    return transaction_request<StateRequest>(json);
  }
  if (kind == "revoke") {
    return profile_request<RevokeRequest>(json);
  }
  if (kind == "abandon") {
    return transaction_request<AbandonRequest>(json);
  }
  if (kind == "finish") {
    return transaction_request<FinishRequest>(json);
  }
  if (kind == "log") {
    return LogRequest{text_at(json, "transaction"), integer_at(json, "offset")};
  }
  unknown("request", kind);
}

// ---- messages ----

Json profiles_json(const std::vector<ProfileStatus>& profiles) {
  auto json = Json::array();
  for (const auto& profile : profiles) {
    json.push_back(to_json(profile));
  }
  return json;
}

std::vector<ProfileStatus> profiles_from(const Json& json) {
  std::vector<ProfileStatus> profiles;
  for (const auto& profile : array_at(json, "profiles")) {
    profiles.push_back(profile_status_from(profile));
  }
  return profiles;
}

Json body_json(const TransactionStatus& status) {
  auto earlier = Json::array();
  for (const auto& one : status.earlier) {
    earlier.push_back({{"transaction", one.transaction},
                       {"run", one.run},
                       {"profiles", profiles_json(one.profiles)}});
  }
  return {{"kind", "transaction"},
          {"transaction", status.transaction},
          {"profiles", profiles_json(status.profiles)},
          {"earlier", std::move(earlier)},
          {"details", details_json(status.details)}};
}
Json body_json(const Accepted&) {
  return {{"kind", "accepted"}};
}
Json body_json(const Decision& decision) {
  return {{"kind", "decision"},
          {"state", name_of(decision.state)},
          {"profile", to_json(decision.profile)}};
}
Json body_json(const Refusal& refusal) {
  return {{"kind", "refusal"},
          {"reason", refusal.reason},
          {"message", refusal.message},
          {"details", details_json(refusal.details)}};
}
Json body_json(const LogPart& part) {
  return {{"kind", "log"}, {"text", part.text}};
}

TransactionStatus transaction_status_from(const Json& json) {
  TransactionStatus status{.transaction = text_at(json, "transaction"),
                           .profiles = profiles_from(json),
                           .earlier = {},
                           .details = details_from(object_at(json, "details"))};
  for (const auto& one : array_at(json, "earlier")) {
    status.earlier.push_back(
        {text_at(one, "transaction"), text_at(one, "run"), profiles_from(one)});
  }
  return status;
}

Decision decision_from(const Json& json) {
  const auto state = state_from(text_at(json, "state"));
  if (!state) {
    unknown("state", text_at(json, "state"));
  }
  return {*state, profile_status_from(object_at(json, "profile"))};
}

ReplyBody reply_body_from(const Json& json) {
  const auto kind = text_at(json, "kind");
  if (kind == "transaction") {
    return transaction_status_from(json);
  }
  if (kind == "accepted") {
    return Accepted{};
  }
  if (kind == "decision") {
    return decision_from(json);
  }
  if (kind == "refusal") {
    return Refusal{text_at(json, "reason"), text_at(json, "message"),
                   details_from(object_at(json, "details"))};
  }
  if (kind == "log") {
    return LogPart{text_at(json, "text")};
  }
  unknown("reply", kind);
}

Json message_json(const Hello& hello) {
  return {{hello_key, hello.protocol}, {"version", hello.version}, {"system", hello.system},
          {"user", hello.user},        {"uid", hello.uid},         {"detach", hello.detach},
          {"state_id", hello.state_id}};
}
Json message_json(const Reply& reply) {
  auto json = std::visit([](const auto& body) { return body_json(body); }, reply.body);
  json["reply"] = reply.id;
  return json;
}
Json message_json(const StatusChanged& changed) {
  return {{"told", "status"},
          {"transaction", changed.transaction},
          {"profile", to_json(changed.profile)}};
}
Json message_json(const ScriptOutput& output) {
  return {{"told", "output"},
          {"transaction", output.transaction},
          {"profile", output.profile},
          {"text", output.text}};
}
Json message_json(const Heartbeat&) {
  return {{"told", "heartbeat"}};
}

Hello hello_from(const Json& json) {
  Hello hello{.protocol = small_integer_at(json, hello_key)};
  if (hello.protocol != protocol_version) {
    return hello; // another version: its other fields may be others too
  }
  hello.version = text_at(json, "version");
  hello.system = text_at(json, "system");
  hello.user = text_at(json, "user");
  hello.uid = integer_at(json, "uid");
  hello.detach = text_at(json, "detach");
  hello.state_id = maybe_text_at(json, "state_id").value_or("");
  return hello;
}

Message message_from(const Json& json) {
  if (json.contains(hello_key)) {
    return hello_from(json);
  }
  if (json.contains("reply")) {
    return Reply{integer_at(json, "reply"), reply_body_from(json)};
  }
  const auto told = text_at(json, "told");
  if (told == "status") {
    return StatusChanged{text_at(json, "transaction"),
                         profile_status_from(object_at(json, "profile"))};
  }
  if (told == "output") {
    return ScriptOutput{text_at(json, "transaction"), text_at(json, "profile"),
                        text_at(json, "text")};
  }
  if (told == "heartbeat") {
    return Heartbeat{};
  }
  unknown("message", told);
}

// ---- lines that would be too long ----

std::string line_of(const Json& json) {
  return dump(json) + "\n";
}

/// A message that does not fit loses what a reader can best do without: the history first, then the
/// prose. What is left of it always fits, or is a refusal that says so.
std::string shortened(Message message) {
  if (auto* output = std::get_if<ScriptOutput>(&message)) {
    output->text = tail(output->text, line_limit / 8); // a byte is at most six in JSON
    return line_of(message_json(*output));
  }
  auto* reply = std::get_if<Reply>(&message);
  auto* status = reply == nullptr ? nullptr : std::get_if<TransactionStatus>(&reply->body);
  if (status != nullptr) {
    status->earlier.clear();
    for (auto& profile : status->profiles) {
      profile.message = tail(profile.message, 200);
    }
    if (auto line = line_of(message_json(*reply)); line.size() <= line_limit) {
      return line;
    }
  }
  const auto id = reply == nullptr ? 0 : reply->id;
  return line_of(
      message_json(Reply{id, Refusal{"protocol", "the answer does not fit into one line", {}}}));
}

} // namespace

std::string encode(const Request& request) {
  auto json = std::visit([](const auto& body) { return body_json(body); }, request.body);
  json["id"] = request.id;
  auto line = line_of(json);
  if (line.size() > line_limit) {
    throw Error(ErrorKind::protocol, "the request does not fit into one line");
  }
  return line;
}

std::string encode(const Message& message) {
  auto line = line_of(std::visit([](const auto& body) { return message_json(body); }, message));
  return line.size() <= line_limit ? line : shortened(message);
}

Request decode_request(std::string_view line) {
  return with_line_in_errors(line, [](const Json& json) {
    return Request{integer_at(json, "id"), request_body_from(json)};
  });
}

std::int64_t id_of_request(std::string_view line) {
  const auto json = Json::parse(line, nullptr, false);
  const auto found = json.is_object() ? json.find("id") : json.end();
  return found != json.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

Message decode_message(std::string_view line) {
  return with_line_in_errors(line, [](const Json& json) { return message_from(json); });
}

bool looks_like_hello(std::string_view line) {
  const auto text = trim(line);
  if (!text.starts_with('{') || text.find("\"belay-agent\"") == std::string_view::npos) {
    return false;
  }
  const auto json = Json::parse(text, nullptr, false);
  return json.is_object() && json.contains(hello_key);
}

} // namespace belay::agent
