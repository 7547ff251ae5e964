// SPDX-License-Identifier: Apache-2.0
#include "engine/nix/sign.h"

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/secret.h"
#include "engine/base/text.h"
#include "engine/nix/command.h"
#include "engine/nix/local_nix.h"

#include <algorithm>

namespace belay::nix {

namespace {

// NAME:BASE64, of 64 bytes; the public half has 32 (Nix, src/libstore/crypto.cc).
constexpr std::size_t secret_key_characters = 88;
constexpr std::size_t public_key_characters = 44;
constexpr std::size_t largest_key_file = 4096;

bool is_base64(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/' || c == '=';
  });
}

[[noreturn]] void refuse(const std::string& file, const std::string& problem) {
  throw Error(ErrorKind::sign_failed, "LOCAL_KEY names " + file + ": " + problem);
}

} // namespace

void check_signing_key(const std::string& file) {
  std::string text;
  try {
    text = read_file(file, largest_key_file);
  } catch (const Error& error) {
    refuse(file, error.message());
  }
  const std::string_view key = trim(text);
  const auto colon = key.find(':');
  const auto half = colon == std::string_view::npos ? std::string_view() : key.substr(colon + 1);
  const bool named = colon != 0 && colon != std::string_view::npos && is_base64(half);
  const std::size_t length = half.size();
  wipe(text);
  if (named && length == public_key_characters) {
    refuse(file, "that is a public key; the secret half is what signs");
  }
  if (!named || length != secret_key_characters) {
    refuse(file, "no secret key of Nix, NAME:BASE64 as `nix key generate-secret` makes it");
  }
}

void LocalNix::sign(const StorePath& path, const std::filesystem::path& key_file,
                    const Wait& wait) {
  // Held all the while: two that sign at once would sign the same things twice.
  const std::lock_guard lock(sign_mutex_);
  if (signed_.contains(path)) {
    return;
  }
  auto argv = nix_command("store sign");
  argv.insert(argv.end(), {"--recursive", "--key-file",
                           std::filesystem::absolute(key_file).string(), "--", path.string()});
  try {
    run_query(runner_, nix_process(std::move(argv)), wait, "signing " + path.string());
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::system) {
      throw Error(ErrorKind::sign_failed, error.message());
    }
    throw;
  }
  signed_.insert(path);
}

} // namespace belay::nix
