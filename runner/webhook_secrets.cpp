// SPDX-License-Identifier: Apache-2.0
#include "runner/webhook_secrets.h"

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/text.h"
#include "runner/version.h"

namespace belay::runner {

namespace {

constexpr std::size_t secret_file_limit = 64 * 1024;

/// The value of a variable or of a file; nullopt where neither is named.
std::optional<std::string> fetch(const std::optional<std::string>& variable,
                                 const std::optional<std::string>& file,
                                 const Environment& environment) {
  if (variable) {
    const auto value = environment(*variable);
    if (!value || trim(*value).empty()) {
      throw Error(ErrorKind::secret, "the environment variable " + *variable + " is not set");
    }
    return std::string(trim(*value));
  }
  if (file) {
    try {
      const auto text = read_file(*file, secret_file_limit);
      if (trim(text).empty()) {
        throw Error(ErrorKind::secret, *file + " is empty");
      }
      return std::string(trim(text));
    } catch (const Error& error) {
      throw Error(ErrorKind::secret, error.message());
    }
  }
  return std::nullopt;
}

} // namespace

reporters::WebhookOptions fetch_webhook(const plan::Webhook& webhook,
                                        const Environment& environment) {
  reporters::WebhookOptions options;
  try {
    options.url = webhook.url ? *webhook.url
                              : fetch(webhook.url_env, webhook.url_file, environment).value_or("");
    if (auto secret = fetch(webhook.secret_env, webhook.secret_file, environment)) {
      options.secrets.push_back(std::move(*secret));
    }
  } catch (Error& error) {
    error.add_context("webhook in line " + std::to_string(webhook.line) + " of the plan file");
    throw;
  }
  options.events = webhook.events;
  options.allow_http = webhook.allow_http;
  options.total_timeout = webhook.timeout;
  options.user_agent = "belay/" + std::string(version);
  return options;
}

} // namespace belay::runner
