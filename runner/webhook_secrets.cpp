// SPDX-License-Identifier: Apache-2.0
#include "runner/webhook_secrets.h"

#include "engine/base/error.h"
#include "runner/secret_source.h"
#include "runner/version.h"

namespace belay::runner {

reporters::WebhookOptions fetch_webhook(const plan::Webhook& webhook,
                                        const Environment& environment) {
  reporters::WebhookOptions options;
  try {
    options.url = webhook.url
                      ? *webhook.url
                      : fetch_secret(webhook.url_env, webhook.url_file, environment).value_or("");
    if (auto secret = fetch_secret(webhook.secret_env, webhook.secret_file, environment)) {
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
