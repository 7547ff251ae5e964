// SPDX-License-Identifier: Apache-2.0
#include "runner/sudo_passwords.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "runner/secret_source.h"

namespace belay::runner {

namespace {

// sudo reads no more of a line than this.
constexpr std::size_t longest_password = 1023;

void check(const Secret& secret) {
  const auto& text = secret.text();
  if (text.find_first_of(std::string_view("\n\r\0", 3)) != std::string::npos ||
      text.size() > longest_password) {
    throw Error(ErrorKind::secret, secret.origin() + " holds no password: it is one line of at "
                                                     "most 1023 bytes");
  }
}

} // namespace

SudoPasswords::SudoPasswords(const std::set<std::string>& variables, const Take& take) {
  for (const auto& name : variables) {
    if (auto value = take(name)) {
      taken_[name] = std::make_shared<const Secret>(std::string(trim(*value)),
                                                    "the environment variable " + name);
      wipe(*value);
    }
  }
}

run::Passwords SudoPasswords::fetch(const plan::Plan& plan) const {
  run::Passwords passwords;
  for (const auto& node : plan.nodes) {
    for (const auto& profile : node.profiles) {
      if (node.skip || !profile.sudo_password || passwords.contains(*profile.sudo_password)) {
        continue;
      }
      try {
        passwords[*profile.sudo_password] = read(*profile.sudo_password);
      } catch (Error& error) {
        error.add_context("node " + node.name + ", profile " + profile.name + ": sudo's password");
        throw;
      }
    }
  }
  if (!passwords.empty()) {
    keep_memory_private();
  }
  return passwords;
}

std::shared_ptr<const Secret> SudoPasswords::read(const plan::SecretSource& source) const {
  std::shared_ptr<const Secret> secret;
  if (source.kind == plan::SecretSource::Kind::file) {
    auto text = fetch_secret(std::nullopt, source.name, nullptr).value_or("");
    secret = std::make_shared<const Secret>(text, "the file " + source.name);
    wipe(text);
  } else if (const auto found = taken_.find(source.name);
             found != taken_.end() && !found->second->text().empty()) {
    secret = found->second;
  } else {
    throw Error(ErrorKind::secret, "the environment variable " + source.name + " is not set");
  }
  check(*secret);
  return secret;
}

} // namespace belay::runner
