// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/plan/section.h"

// What texts of the plan file must look like. Each rule says what is wrong in words, and as a
// pattern for the JSON Schema where a pattern can say it.

namespace belay::plan {

TextRule any_text();
TextRule not_empty();
/// A label for reports: letters, digits, . _ / -; at most 64.
TextRule environment_label();
/// `ssh-ed25519 AAAA…`, as in a .pub file: the type must be the one that the key itself names.
TextRule host_key_line();
/// A host that ssh can be told: no white space, no dash in front.
TextRule host_name();
/// Name of an environment variable.
TextRule variable_name();
/// http or https URL with a host.
TextRule http_url();
/// `FLAKE[#NODE[.PROFILE]]`
TextRule target_text();
/// A flake without a fragment.
TextRule flake_reference();
/// One of `words`.
TextRule one_of(std::vector<std::string> words);

/// A host name or user name as ssh may be given it: what is wrong, or nothing.
std::optional<std::string> check_ssh_word(std::string_view text);

} // namespace belay::plan
