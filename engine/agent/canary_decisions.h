// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/canary.h"
#include "engine/agent/decision.h"
#include "engine/agent/record.h"
#include "engine/agent/transaction_files.h"

#include <map>
#include <optional>

// The decision where deploy-rs confirms: it is the same rename, made by whoever keeps the
// transaction, but only after the canary has told for whom. With the offer the canary appears; once
// it has been removed, the profile is confirmed; and nothing expires before the canary was taken
// back: who finds that somebody was faster decides for him. So deploy-rs's `rm` succeeds if and
// only if the profile stays, be it that the process which its login started is alive, stopped or
// dead. A profile without a canary is decided as ever.

namespace belay::agent {

class CanaryDecisions final : public Decisions {
public:
  CanaryDecisions(const TransactionFiles& files, const Record& record)
      : files_(files), record_(record), decisions_(files.folder()) {}

  void offer(std::size_t profile) override;
  std::optional<Verdict> decide(std::size_t profile, Verdict wanted) override;
  /// Decides, where the canary has been removed.
  std::optional<Verdict> read(std::size_t profile) const override;

private:
  std::optional<Canary> canary(std::size_t profile) const;
  std::filesystem::path known(std::size_t profile) const {
    return files_.profile(profile) / "canary";
  }
  std::optional<ShownCanary> shown(std::size_t profile) const;

  TransactionFiles files_;
  const Record& record_;
  mutable DecisionFiles decisions_;
};

} // namespace belay::agent
