// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

// A path directly in the Nix store, e.g. /nix/store/s66mz…-hello-2.12. Once made it is known to be
// well-formed, so it may be put into an argument list or shown without a second look.

namespace belay {

class StorePath {
public:
  /// nullopt unless `text` is STORE/HASH-NAME with nothing below it: 32 characters of Nix's base
  /// 32, a dash, 1 to 211 of [A-Za-z0-9+-._?=] (Nix, "store path name" in its manual).
  static std::optional<StorePath> parse(std::string_view text);

  const std::string& string() const { return text_; }
  /// HASH-NAME.
  std::string_view base_name() const;
  /// NAME.
  std::string_view name() const;
  bool is_derivation() const { return text_.ends_with(".drv"); }

  auto operator<=>(const StorePath&) const = default;

private:
  explicit StorePath(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

} // namespace belay
