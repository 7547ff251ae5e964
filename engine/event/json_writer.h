// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/clock.h"

#include <charconv>
#include <concepts>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// JSON text, written from the front to the back. A large run has a hundred thousand events, and to
// build each of them as a document first cost three times what all the rest of such a run does
// (docs/performance.md). It writes what nlohmann::json would: a test compares the two.

namespace belay::event {

class JsonWriter {
public:
  void value(std::nullptr_t) { text_ += "null"; }
  void value(bool truth) { text_ += truth ? "true" : "false"; }
  void value(std::string_view text);
  void value(const std::string& text) { value(std::string_view(text)); }
  void value(const char* text) { value(std::string_view(text)); }
  /// In seconds, as exactly as it is known.
  void value(Duration duration);
  template <std::integral Number> void value(Number number) {
    char digits[24];
    text_.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
  }
  /// null where there is none.
  template <typename Value> void value(const std::optional<Value>& some) {
    some ? value(*some) : value(nullptr);
  }
  void value(const std::vector<std::string>& list) {
    array(list, [this](const std::string& text) { value(text); });
  }
  void value(const std::map<std::string, std::string>& map) {
    value([&] {
      for (const auto& [name, text] : map)
        field(name, text);
    });
  }
  /// An object, of the fields that `fill` writes.
  template <std::invocable Fill> void value(const Fill& fill) {
    text_ += '{';
    fill();
    text_ += '}';
  }

  /// One more field of the object that was begun last. A name that is a literal is one of ours: it
  /// is written as it is.
  template <std::size_t size, typename Value>
  void field(const char (&name)[size], const Value& of) {
    begin_field(name);
    value(of);
  }
  template <typename Value> void field(const std::string& name, const Value& of) {
    separate();
    value(name);
    text_ += ':';
    value(of);
  }
  /// A field that is an array; `write` writes one value for each item.
  template <std::size_t size, typename List, typename Write>
  void field(const char (&name)[size], const List& list, const Write& write) {
    begin_field(name);
    array(list, write);
  }

  /// Every text so far is plain (base/text.h): cleaning would change nothing in it.
  bool is_plain() const { return plain_; }
  void reserve(std::size_t bytes) { text_.reserve(bytes); }
  std::string take() { return std::move(text_); }

private:
  template <typename List, typename Write> void array(const List& list, const Write& write) {
    text_ += '[';
    for (const auto& item : list) {
      separate();
      write(item);
    }
    text_ += ']';
  }
  void begin_field(std::string_view name) {
    separate();
    ((text_ += '"') += name) += "\":";
  }
  /// No value ends with an opening bracket, so that one tells the first item from the others.
  void separate() {
    if (text_.back() != '{' && text_.back() != '[')
      text_ += ',';
  }

  std::string text_;
  bool plain_ = true;
};

} // namespace belay::event
