// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runner/options_flags.h"
#include "runner/options_values.h"

#include <cstdint>
#include <string>
#include <type_traits>

// How a flag's value gets to its place in the draft: for each kind of value a function that makes
// the flag's `take`. A `place` is given the draft and gives the optional, or the variable, that the
// value goes to.

namespace belay::runner {

using Take = std::function<std::optional<std::string>(OptionsDraft&, const std::string&)>;

/// Any text but an empty one.
template <class Place> Take text(Place place) {
  return [place](OptionsDraft& draft, const std::string& value) -> std::optional<std::string> {
    if (value.empty()) {
      return "expected a value, found nothing";
    }
    place(draft) = value;
    return std::nullopt;
  };
}

/// true or false.
template <class Place> Take flag(Place place) {
  return [place](OptionsDraft& draft, const std::string& value) -> std::optional<std::string> {
    const auto read = to_flag(value);
    if (!read) {
      return "expected true or false, found \"" + value + '"';
    }
    place(draft) = *read;
    return std::nullopt;
  };
}

/// A whole number, both ends included.
template <class Place> Take number(Place place, std::int64_t least, std::int64_t most) {
  return [=](OptionsDraft& draft, const std::string& value) -> std::optional<std::string> {
    const auto read = to_number(value, least, most);
    if (!read) {
      return "expected a whole number from " + std::to_string(least) + " to " +
             std::to_string(most) + ", found \"" + value + '"';
    }
    using Value = typename std::remove_reference_t<decltype(place(draft))>::value_type;
    place(draft) = Value(static_cast<int>(*read));
    return std::nullopt;
  };
}

/// A time: 90, 90s, 5m or 1h, in seconds both ends included.
template <class Place> Take duration(Place place, std::int64_t least, std::int64_t most) {
  return [=](OptionsDraft& draft, const std::string& value) -> std::optional<std::string> {
    const auto read = to_seconds(value);
    if (!read || *read < least || *read > most) {
      return "expected a time from " + std::to_string(least) + " to " + std::to_string(most) +
             " seconds, as 90, 90s, 5m or 1h, found \"" + value + '"';
    }
    place(draft) = plan::Seconds(static_cast<int>(*read));
    return std::nullopt;
  };
}

/// One of two words.
template <class Place, class Value>
Take choice(Place place, std::string first_name, Value first, std::string second_name,
            Value second) {
  return [=](OptionsDraft& draft, const std::string& value) -> std::optional<std::string> {
    if (value != first_name && value != second_name) {
      return "expected " + first_name + " or " + second_name + ", found \"" + value + '"';
    }
    place(draft) = value == first_name ? first : second;
    return std::nullopt;
  };
}

/// A switch.
template <class Place> Take turn_on(Place place) {
  return [place](OptionsDraft& draft, const std::string&) -> std::optional<std::string> {
    place(draft) = true;
    return std::nullopt;
  };
}

/// Places.
auto setting(auto member) {
  return [member](OptionsDraft & draft) -> auto& {
    return draft.load.overrides.settings.*member;
  };
}
auto override_of(auto member) {
  return [member](OptionsDraft & draft) -> auto& {
    return draft.load.overrides.*member;
  };
}

/// Those that are of one kind by themselves.
std::optional<std::string> take_target(OptionsDraft& draft, const std::string& value);
std::optional<std::string> take_events(OptionsDraft& draft, const std::string& value);
std::optional<std::string> take_ssh_opts(OptionsDraft& draft, const std::string& value);
std::optional<std::string> take_format(OptionsDraft& draft, const std::string& value);
std::optional<std::string> take_transport(OptionsDraft& draft, const std::string& value);
/// A mode of the run, which excludes the flag `other`.
Take mode(plan::Mode wanted, std::string other);

} // namespace belay::runner
