// SPDX-License-Identifier: Apache-2.0
#include "reporters/webhook_signature.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <array>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace belay::reporters {

namespace {

constexpr std::string_view prefix = "whsec_";
constexpr std::size_t shortest_key = 24, longest_key = 64; // bytes

std::string base64(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0'); // OpenSSL adds a NUL
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

/// Empty where it is not base64.
std::string from_base64(std::string text) {
  while (text.size() % 4 != 0) // the padding is often left out
    text += '=';
  std::string bytes(text.size(), '\0');
  const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
  if (length < 0)
    return "";
  const std::size_t padding = text.size() - std::min(text.find('='), text.size());
  bytes.resize(static_cast<std::size_t>(length) - std::min(padding, std::size_t{2}));
  return bytes;
}

std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(),
           &length) == nullptr)
    throw Error(ErrorKind::internal, "HMAC-SHA256 is not available");
  return {reinterpret_cast<const char*>(digest.data()), length};
}

} // namespace

std::string_view webhook_key_text(std::string_view secret) {
  const std::string_view text = trim(secret);
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

std::string webhook_key(std::string_view secret) {
  const std::string_view text = trim(secret);
  std::string key;
  if (text.starts_with(prefix) && text.size() < 200)
    key = from_base64(std::string(webhook_key_text(text)));
  if (key.size() < shortest_key || key.size() > longest_key)
    throw Error(ErrorKind::secret,
                "a webhook's secret is whsec_ and the base64 of 24 to 64 random bytes; make one "
                "with: echo whsec_$(openssl rand -base64 32)");
  return key;
}

std::string webhook_signature(const std::vector<std::string>& keys, std::string_view id,
                              std::string_view timestamp, std::string_view body) {
  std::string signed_text(id);
  signed_text.append(".").append(timestamp).append(".").append(body);
  std::vector<std::string> signatures;
  for (const std::string& key : keys)
    signatures.push_back("v1," + base64(hmac_sha256(key, signed_text)));
  return join(signatures, " ");
}

} // namespace belay::reporters
