// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"

#include <new>
#include <system_error>

namespace belay {

std::string_view reason_of(ErrorKind kind) {
  switch (kind) {
  case ErrorKind::usage:
    return "usage";
  case ErrorKind::invalid_plan:
    return "plan-invalid";
  case ErrorKind::nothing_selected:
    return "nothing-selected";
  case ErrorKind::evaluation_failed:
    return "evaluation-failed";
  case ErrorKind::build_failed:
    return "build-failed";
  case ErrorKind::no_activation:
    return "no-activation";
  case ErrorKind::sign_failed:
    return "sign-failed";
  case ErrorKind::copy_failed:
    return "copy-failed";
  case ErrorKind::unreachable:
    return "unreachable";
  case ErrorKind::host_key_mismatch:
    return "host-key-mismatch";
  case ErrorKind::authentication_failed:
    return "authentication-failed";
  case ErrorKind::transport_unsupported:
    return "transport-unsupported";
  case ErrorKind::nix_missing:
    return "nix-missing";
  case ErrorKind::agent_missing:
    return "agent-missing";
  case ErrorKind::protocol:
    return "protocol";
  case ErrorKind::lock_held:
    return "lock-held";
  case ErrorKind::deadline_exceeded:
    return "timeout";
  case ErrorKind::cancelled:
    return "cancelled";
  case ErrorKind::secret:
    return "secret";
  case ErrorKind::no_privilege:
    return "no-privilege";
  case ErrorKind::system:
    return "system";
  case ErrorKind::internal:
    return "internal";
  }
  return "internal";
}

Error::Error(ErrorKind kind, std::string message) : kind_(kind), message_(std::move(message)) {}

Error Error::from_errno(std::string message, int error_number) {
  // std::generic_category, not strerror: it is thread-safe.
  Error error(ErrorKind::system,
              std::move(message) + ": " + std::generic_category().message(error_number));
  error.error_number_ = error_number;
  return error;
}

void Error::add_context(std::string_view context) {
  message_.insert(0, ": ");
  message_.insert(0, context);
}

Error as_error(const std::exception& caught) {
  if (const auto* error = dynamic_cast<const Error*>(&caught)) {
    return *error;
  }
  const bool refused = dynamic_cast<const std::system_error*>(&caught) != nullptr ||
                       dynamic_cast<const std::bad_alloc*>(&caught) != nullptr;
  return Error(refused ? ErrorKind::system : ErrorKind::internal, caught.what());
}

} // namespace belay
