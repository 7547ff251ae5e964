// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/plan/plan.h"
#include "engine/run/node_link.h"

#include <functional>
#include <map>
#include <set>
#include <string>

// The passwords that sudo asks for on targets, from where the plan file says that they are. Which
// variables those are is known before anything is started; they are taken out of this process's
// environment at once, so that neither Nix nor ssh nor a flake ever sees them. Whether one is
// missing counts only for the profiles that need it, which is known after the evaluation.

namespace belay::runner {

class SudoPasswords {
public:
  /// Takes `variables` by `take`, which gives the value and forgets it.
  using Take = std::function<std::optional<std::string>(const std::string& name)>;
  SudoPasswords(const std::set<std::string>& variables, const Take& take);

  /// Those that the profiles of the plan need. Throws Error{secret} that names node, profile and
  /// the variable or file that is missing or holds what is no password.
  run::Passwords fetch(const plan::Plan& plan) const;

private:
  std::shared_ptr<const Secret> read(const plan::SecretSource& source) const;

  std::map<std::string, std::shared_ptr<const Secret>> taken_;
};

} // namespace belay::runner
