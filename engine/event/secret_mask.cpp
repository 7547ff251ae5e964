// SPDX-License-Identifier: Apache-2.0
#include "engine/event/secret_mask.h"

#include "engine/base/text.h"

#include <algorithm>

namespace belay::event {

SecretMask::SecretMask(const std::vector<std::string>& secrets) {
  for (const std::string& secret : secrets)
    add(secret);
}

void SecretMask::add(std::string_view secret) {
  constexpr std::size_t shortest_line = 8;
  add_one(trim(secret));
  if (secret.find('\n') == std::string_view::npos)
    return;
  for (const std::string& line : split(secret, '\n'))
    if (trim(line).size() >= shortest_line)
      add_one(trim(line));
}

void SecretMask::add_one(std::string_view secret) {
  // As events hold it: the mask meets text that was cleaned already.
  std::string cleaned = clean_text(secret);
  if (cleaned.size() < shortest)
    return;
  const auto longer = [](const std::string& a, const std::string& b) {
    return a.size() > b.size();
  };
  secrets_.insert(std::upper_bound(secrets_.begin(), secrets_.end(), cleaned, longer), cleaned);
}

std::string SecretMask::apply(std::string text) const {
  constexpr std::string_view stars = "***";
  for (const std::string& secret : secrets_)
    for (std::size_t at = text.find(secret); at != std::string::npos;
         at = text.find(secret, at + stars.size()))
      text.replace(at, secret.size(), stars);
  return text;
}

} // namespace belay::event
