// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>

// Confirmed or expired: the one race of the whole program, decided by the file system. Each profile
// has one file whose name is its decision. It is made as `held` when the transaction is prepared,
// becomes `pending` when the confirm deadline starts to run, and from then on whoever renames
// `pending` first has won, be it serve with `confirmed` or the keeper with `expired`; the other one
// finds no `pending` and reads who did. The rename is on the disk before anybody is told or
// anything is rolled back.

namespace belay::agent {

enum class Verdict { confirmed, expired };

class Decisions {
public:
  virtual ~Decisions() = default;
  /// held → pending. Doing it again changes nothing. Throws Error{system}.
  virtual void offer(std::size_t profile) = 0;
  /// Tries to decide; returns who won, now or earlier. nullopt: never offered. Throws
  /// Error{system}.
  virtual std::optional<Verdict> decide(std::size_t profile, Verdict wanted) = 0;
  /// nullopt while nothing is decided.
  virtual std::optional<Verdict> read(std::size_t profile) const = 0;
};

/// Any thread, any process.
class DecisionFiles final : public Decisions {
public:
  explicit DecisionFiles(std::filesystem::path transaction) : folder_(std::move(transaction)) {}
  /// Makes the profile's folder and `held`.
  void create(std::size_t profile);
  void offer(std::size_t profile) override;
  std::optional<Verdict> decide(std::size_t profile, Verdict wanted) override;
  std::optional<Verdict> read(std::size_t profile) const override;

private:
  std::filesystem::path of(std::size_t profile) const { return folder_ / std::to_string(profile); }
  std::filesystem::path folder_;
};

} // namespace belay::agent
