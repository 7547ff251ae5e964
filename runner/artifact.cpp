// SPDX-License-Identifier: Apache-2.0
#include "runner/artifact.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/plan/plan_json.h"
#include "runner/url_secrets.h"
#include "runner/version.h"

#include <nlohmann/json.hpp>
#include <openssl/evp.h>

#include <algorithm>
#include <array>

namespace belay::runner {

namespace {

using Json = nlohmann::ordered_json;
using nlohmann::json;

constexpr const char* format_name = "belay-plan-artifact";
/// Another one only for what an older belay would not refuse by itself: fields that it does not
/// know, it refuses.
constexpr int format_version = 1;

constexpr const char* checks_made = "made";
constexpr const char* checks_skipped = "skipped"; ///< also where an older belay wrote nothing

constexpr std::string_view seal_begin = ",\n  \"integrity\": \"sha256-";
constexpr std::string_view seal_end = "\"\n}\n";
constexpr std::size_t hash_digits = 64;

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorKind::invalid_plan, what);
}

std::string sha256_hex(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), hash.data(), &size, EVP_sha256(), nullptr) != 1) {
    throw Error(ErrorKind::internal, "SHA-256 is not available");
  }
  constexpr std::string_view digits = "0123456789abcdef";
  std::string hex;
  for (unsigned i = 0; i < size; ++i) {
    hex += digits[hash[i] >> 4];
    hex += digits[hash[i] & 15];
  }
  return hex;
}

/// Two flakes that only differed in their credentials could not be told apart any more.
void require_different(const std::vector<std::string>& references) {
  for (auto one = references.begin(); one != references.end(); ++one) {
    if (std::find(references.begin(), one, *one) != one) {
      refuse("two flakes are both " + one_line(*one) + " without the credentials in their URLs, " +
             "which an artifact does not hold; let Nix have those from netrc or access-tokens, or "
             "make an artifact of each");
    }
  }
}

Json written(const PlannedFlake& flake) {
  return {{"reference", flake.reference},
          {"locked_url", flake.lock.url},
          {"locked", flake.lock.locked},
          {"nar_hash", flake.lock.nar_hash}};
}

PlannedFlake read_flake(const json& value) {
  try {
    return {value.at("reference"),
            {value.at("locked_url"), value.at("nar_hash"), value.at("locked").get<bool>()}};
  } catch (const json::exception&) {
    refuse("an entry of flakes is not what this belay writes");
  }
}

/// The number of bytes that the hash at the end is over; refuses where there is none, or another.
void check_seal(std::string_view text) {
  const std::size_t length = seal_begin.size() + hash_digits + seal_end.size();
  const std::size_t end = text.size() < length ? 0 : text.size() - length;
  const std::string_view seal = text.substr(end);
  if (!seal.starts_with(seal_begin) || !seal.ends_with(seal_end) ||
      seal.substr(seal_begin.size(), hash_digits) != sha256_hex(text.substr(0, end))) {
    refuse("it was changed or cut off after belay plan --out had written it: its hash is another");
  }
}

json parse(std::string_view text) {
  json value = json::parse(text, nullptr, false);
  if (value.is_discarded() && text.find(format_name) < 100) {
    refuse("it was changed or cut off after belay plan --out had written it: it is no whole JSON");
  }
  const auto format = value.is_object() ? value.find("format") : value.end();
  if (format == value.end()) {
    const bool is_plan = value.is_object() && value.contains("nodes") && value.contains("policy");
    refuse(is_plan ? "it is no plan artifact but what belay plan --format json prints; belay plan "
                     "--out FILE writes one"
                   : "it is no plan artifact; belay plan --out FILE writes one");
  }
  if (*format != format_name) {
    refuse("it is no plan artifact: its format is " +
           one_line(format->dump(-1, ' ', false, json::error_handler_t::replace).substr(0, 100)));
  }
  const json version = value.value("version", json());
  if (version != format_version) {
    refuse("it is in version " + one_line(version.dump().substr(0, 40)) +
           " of the format, and this belay reads " + std::to_string(format_version) +
           ": make it again with the belay that deploys it");
  }
  return value;
}

} // namespace

Artifact make_artifact(plan::Plan plan, std::vector<PlannedFlake> flakes, bool checked) {
  plan.reports = {};
  std::erase_if(plan.webhooks,
                [](const plan::Webhook& webhook) { return webhook.url.has_value(); });
  for (plan::Webhook& webhook : plan.webhooks) {
    webhook.line = 0;
  }
  for (PlannedFlake& flake : flakes) {
    flake.reference = without_url_secrets(flake.reference);
    flake.lock.url = without_url_secrets(flake.lock.url);
  }
  for (std::string& flake : plan.flakes) {
    flake = without_url_secrets(flake);
  }
  require_different(plan.flakes);
  for (plan::Node& node : plan.nodes) {
    node.flake = without_url_secrets(node.flake);
  }
  return {std::string(version), checked, std::move(flakes), std::move(plan)};
}

std::string seal_artifact(std::string json_object) {
  json_object.resize(json_object.rfind("\n}")); // the hash comes before the last brace
  const std::string hash = sha256_hex(json_object);
  return json_object.append(seal_begin).append(hash).append(seal_end);
}

std::string write_artifact(const Artifact& artifact) {
  Json file{{"format", format_name},   {"version", format_version},
            {"belay", artifact.belay}, {"checks", artifact.checked ? checks_made : checks_skipped},
            {"flakes", Json::array()}, {"plan", Json(plan::to_json(artifact.plan))}};
  for (const PlannedFlake& flake : artifact.flakes) {
    file["flakes"].push_back(written(flake));
  }
  try {
    return seal_artifact(file.dump(2));
  } catch (const Json::type_error&) {
    refuse("a name, an option or another text of the plan is not UTF-8; an artifact could not hold "
           "it as it is");
  }
}

Artifact read_artifact(std::string_view text) {
  const json file = parse(text);
  check_seal(text);
  Artifact artifact;
  try {
    artifact.belay = file.at("belay").get<std::string>();
    artifact.checked = file.value("checks", std::string()) == checks_made;
    for (const json& flake : file.at("flakes")) {
      artifact.flakes.push_back(read_flake(flake));
    }
    artifact.plan = plan::plan_from_json(file.at("plan"));
  } catch (const json::exception&) {
    refuse("who wrote it, its flakes, its plan or what it says of checks is missing, or of another "
           "kind");
  } catch (const Error& error) {
    refuse("belay " + one_line(artifact.belay) + " wrote it, and this is " + std::string(version) +
           ", which knows other settings (" + error.message() +
           "): make it again with the belay that deploys it");
  }
  return artifact;
}

} // namespace belay::runner
