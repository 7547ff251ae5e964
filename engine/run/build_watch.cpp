// SPDX-License-Identifier: Apache-2.0
#include "engine/run/build_watch.h"

#include "engine/base/store_path.h"
#include "engine/base/text.h"
#include "engine/base/thread.h"

#include <algorithm>

namespace belay::run {

namespace {

constexpr std::size_t most_named = 4;
constexpr std::size_t most_known = 10'000; // at once

/// "hello-2.12"
std::string name_of(const std::string& derivation) {
  const auto path = StorePath::parse(derivation);
  const std::string name(path ? path->name() : derivation);
  return one_line(name.ends_with(".drv") ? name.substr(0, name.size() - 4) : name);
}

} // namespace

BuildWatch::BuildWatch(Tell tell, Duration interval)
    : tell_(std::move(tell)), interval_(interval), thread_(start_thread("watching a build", [this] {
        try {
          watch();
        } catch (const std::exception&) { // nothing depends on it
        }
      })) {}

BuildWatch::~BuildWatch() {
  stop_.cancel();
  thread_.join();
}

void BuildWatch::take(const nix::Progress& said) {
  using Kind = nix::Progress::Kind;
  const std::scoped_lock lock(mutex_);
  if (said.kind == Kind::build_started && building_.size() < most_known) {
    building_.emplace_back(said.derivation, BootClock::now());
  } else if (said.kind == Kind::build_stopped || said.kind == Kind::build_finished) {
    std::erase_if(building_, [&](const auto& build) { return build.first == said.derivation; });
  }
}

void BuildWatch::watch() {
  const auto stop = stop_.token();
  while (wait_readable(-1, Wait::at_most(interval_, stop)) != Ready::cancelled) {
    tell_(text());
  }
}

/// The longest first.
std::string BuildWatch::text() {
  const auto now = BootClock::now();
  const std::scoped_lock lock(mutex_);
  std::vector<std::string> named;
  for (const auto& [derivation, since] : building_) {
    if (named.size() < most_named) {
      named.push_back(name_of(derivation) + " for " + format_duration(now - since));
    }
  }
  if (named.empty()) {
    return "nothing is being built now, after " + format_duration(now - began_);
  }
  const auto more = building_.size() - named.size();
  return "building " + join(named, ", ") +
         (more > 0 ? " and " + std::to_string(more) + " more" : "");
}

} // namespace belay::run
