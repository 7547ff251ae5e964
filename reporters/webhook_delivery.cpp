// SPDX-License-Identifier: Apache-2.0
#include "reporters/webhook_delivery.h"

#include "engine/base/text.h"

namespace belay::reporters {

Delivery judge_response(const HttpResponse& response) {
  const int status = response.status;
  if (status >= 200 && status < 300)
    return Delivery::done;
  if (status == 410)
    return Delivery::gone;
  const bool passing = status == 0 || status == 408 || status == 425 || status == 429 ||
                       (status >= 500 && status < 600);
  return passing ? Delivery::again : Delivery::refused;
}

std::string describe_response(const HttpResponse& response) {
  return response.status != 0 ? "HTTP " + std::to_string(response.status)
                              : one_line(response.error);
}

} // namespace belay::reporters
