// SPDX-License-Identifier: Apache-2.0
#include "engine/base/secret.h"

#include <cstdlib>
#include <cstring>
#include <utility>

#ifdef __linux__
#include <sys/prctl.h>
#endif

namespace belay {

namespace {

void wipe(char* text, std::size_t size) {
  volatile char* const bytes = text;
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = '\0';
  }
}

} // namespace

Secret::Secret(std::string text, std::string origin)
    : text_(std::move(text)), origin_(std::move(origin)) {}

Secret::~Secret() {
  wipe(text_);
}

void wipe(std::string& text) {
  wipe(text.data(), text.size());
  text.clear();
}

void keep_memory_private() {
#ifdef __linux__
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

std::optional<std::string> take_variable(const std::string& name) {
  char* const value = std::getenv(name.c_str());
  if (value == nullptr) {
    return std::nullopt;
  }
  std::string text = value;
  wipe(value, std::strlen(value));
  unsetenv(name.c_str());
  return text;
}

} // namespace belay
