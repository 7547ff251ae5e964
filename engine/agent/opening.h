// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/host.h"
#include "engine/agent/nix_tools.h"
#include "engine/agent/profile_store.h"
#include "engine/agent/protocol.h"
#include "engine/agent/record.h"
#include "engine/agent/transaction_files.h"

#include <optional>
#include <vector>

// Makes one transaction's folder, whole or not at all: what stands is recorded, what either way
// needs is rooted, and in the end a keeper holds the lock. Of the target nothing is changed, except
// that a profile's folder is made where it is missing.

namespace belay::agent {

class Opening {
public:
  /// The request has been checked; the caller holds the state directory's mutex.
  Opening(const PrepareRequest& request, const Host& host, NixTools tools);

  const TransactionFiles& files() const { return files_; }
  /// nullopt: it is open. After a refusal, or an Error, nothing of it is left.
  std::optional<Refusal> open();

private:
  std::optional<Refusal> try_to_open();
  void make_folder() const;
  void record_transaction();
  std::optional<Refusal> check_folder(const std::filesystem::path& folder);
  std::optional<Refusal> record_profile(const PrepareRequest::Profile& wanted);
  std::vector<Root> wanted_roots() const;
  std::optional<Refusal> root_all();
  std::optional<Refusal> check_scripts();
  std::optional<Refusal> check_mode(const PrepareRequest::Profile& wanted);
  void note_drift(RecordedProfile& profile);
  void protect();
  void note_detachment(Detachment detachment);

  const PrepareRequest& request_;
  const Host& host_;
  NixTools tools_;
  NixProfiles profiles_;
  TransactionFiles files_;
  Record record_;
};

/// deploy-rs's rule: the explicit path; for root's `system` the system profile; else the user's
/// folder of profiles. Nix 2.8's daemon makes that folder when the user first connects, which may
/// be after a first deploy into his home: a profile that is only there stays there, or nothing would
/// be known of what ran before. `environment` is the profile user's.
std::string profile_path_for(const PrepareRequest::Profile& profile, const std::string& user,
                             const std::map<std::string, std::string>& environment);

} // namespace belay::agent
