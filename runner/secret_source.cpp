// SPDX-License-Identifier: Apache-2.0
#include "runner/secret_source.h"

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/secret.h"
#include "engine/base/text.h"

namespace belay::runner {

namespace {

constexpr std::size_t secret_file_limit = 64 * 1024;

} // namespace

std::optional<std::string> SecretVariables::take(const std::string& name) {
  const auto known = taken_.find(name);
  return known != taken_.end() ? known->second
                               : taken_.emplace(name, take_variable(name)).first->second;
}

std::optional<std::string> fetch_secret(const std::optional<std::string>& variable,
                                        const std::optional<std::string>& file,
                                        const Environment& environment) {
  if (variable) {
    const auto value = environment(*variable);
    if (!value || trim(*value).empty()) {
      throw Error(ErrorKind::secret, "the environment variable " + *variable + " is not set");
    }
    keep_memory_private();
    return std::string(trim(*value));
  }
  if (file) {
    try {
      const auto text = read_file(*file, secret_file_limit);
      if (trim(text).empty()) {
        throw Error(ErrorKind::secret, *file + " is empty");
      }
      keep_memory_private();
      return std::string(trim(text));
    } catch (const Error& error) {
      throw Error(ErrorKind::secret, error.message());
    }
  }
  return std::nullopt;
}

} // namespace belay::runner
