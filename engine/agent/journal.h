// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/protocol.h"
#include "engine/base/clock.h"
#include "engine/base/file.h"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What a keeper did, in the order in which it did it. One line an entry: a checksum, a blank, a
// JSON object. An entry is on the disk before what it announces happens, so that whoever finds the
// journal after a crash knows how far things may have gone, never less. A line that was torn by the
// crash fails its checksum and is as if it had not been written; the next keeper starts a new line
// after it. A whole line that means nothing to us is another matter: a later belay wrote it, and
// whoever acted on the rest of its journal would act on half the truth. There is one writer, the
// holder of the transaction's lock; anybody may read.

namespace belay::agent {

/// Those that end in -ing are written before the deed, the others after it.
enum class Step {
  keeping,              ///< a keeper took the lock
  request,              ///< a request was answered; `reason` is empty where it was accepted
  abandoned,            ///< asked to abandon
  finished,             ///< asked to finish
  revoking,             ///< asked to revoke a profile; before that is accepted
  switching,            ///< about to set the profile
  switched,             ///< the link was read back and is the new closure
  script_starting,      ///< about to run the activation script
  script_ended,         ///< with exit_status or signal; `reason` is empty where it ended well
  activated,            ///< the script ended well
  awaiting_confirm,     ///< `deadline` runs
  setting_boot_default, ///< it is confirmed; about to run the boot script
  confirmed,
  dry_run,      ///< the script of a dry run ended well
  failed,       ///< left as it is
  rolling_back, ///< about to restore what was recorded
  reactivating, ///< about to run the old generation's script
  rolled_back,
  rollback_failed,
  superseded,
  closed, ///< the end of the transaction
};
std::string_view name_of(Step step);
std::optional<Step> step_from(std::string_view name);

/// The others announce and decide nothing: they become durable with the next one that does.
bool is_synced_at_once(Step step);

struct Entry {
  Step step = Step::keeping;
  std::optional<std::size_t> profile; ///< index in the record; nullopt = the whole transaction
  std::string reason;
  std::string message;
  std::optional<int> generation; ///< switched: what was made
  std::optional<int> exit_status;
  std::optional<std::string> signal;
  std::optional<Duration> duration;
  std::optional<Instant> deadline; ///< means something only together with `boot`
  std::string boot;
  std::string request; ///< name of the request's file
  WallTime time{};
};

/// Where entries go. append() returns when the entry is as durable as it has to be; throws
/// Error{system}.
class Journal {
public:
  virtual ~Journal() = default;
  virtual void append(const Entry& entry) = 0;
};

class JournalFile final : public Journal {
public:
  /// Opens or makes it; takes some room on the disk at once, so that a full disk does not end it.
  explicit JournalFile(const std::filesystem::path& path);
  void append(const Entry& entry) override;

private:
  UniqueFd fd_;
  bool in_line_ = false; ///< the last write may have left half a line
};

std::string encode_entry(const Entry& entry);
/// nullopt for a line that is torn or changed. Throws Error{protocol} for a whole one that is no
/// entry we know.
std::optional<Entry> decode_entry(std::string_view line);
/// All good entries of a journal's text. What stands after the last line feed is no entry. Throws
/// as decode_entry does.
std::vector<Entry> decode_journal(std::string_view text);
/// All good entries. A file that does not exist has none. Throws Error{system}, and as
/// decode_journal does.
std::vector<Entry> read_journal(const std::filesystem::path& path);

} // namespace belay::agent
