// SPDX-License-Identifier: Apache-2.0
#include "engine/base/store_path.h"

#include <algorithm>

namespace belay {

namespace {

constexpr std::size_t hash_length = 32;
constexpr std::size_t longest_name = 211;
constexpr std::string_view base_32 = "0123456789abcdfghijklmnpqrsvwxyz";
constexpr std::string_view name_characters =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+-._?=";

bool consists_of(std::string_view text, std::string_view characters) {
  return text.find_first_not_of(characters) == std::string_view::npos;
}

} // namespace

std::optional<StorePath> StorePath::parse(std::string_view text) {
  const auto slash = text.rfind('/');
  // A store has a folder name of its own: "/x-y" is no store path.
  if (!text.starts_with('/') || slash == 0 || text.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  const auto base = text.substr(slash + 1);
  if (base.size() < hash_length + 2 || base[hash_length] != '-') {
    return std::nullopt;
  }
  const auto name = base.substr(hash_length + 1);
  if (!consists_of(base.substr(0, hash_length), base_32) || name.size() > longest_name ||
      !consists_of(name, name_characters)) {
    return std::nullopt;
  }
  return StorePath(std::string(text));
}

std::string_view StorePath::base_name() const {
  return std::string_view(text_).substr(text_.rfind('/') + 1);
}

std::string_view StorePath::name() const {
  return base_name().substr(hash_length + 1);
}

} // namespace belay
