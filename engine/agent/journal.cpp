// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/journal.h"

#include "engine/agent/fault_point.h"
#include "engine/agent/json_fields.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace belay::agent {

namespace {

constexpr std::size_t journal_cap = 8 * 1024 * 1024;
constexpr off_t journal_reserve = 64 * 1024; // some 300 entries; a transaction has about 20
constexpr std::size_t checksum_length = 16;
constexpr std::size_t message_cap = 2000; // for a person, one line
constexpr std::size_t name_cap = 40;      // of a step we do not know

constexpr std::array<std::pair<Step, std::string_view>, 21> names = {{
    {Step::keeping, "keeping"},
    {Step::request, "request"},
    {Step::abandoned, "abandoned"},
    {Step::finished, "finished"},
    {Step::revoking, "revoking"},
    {Step::switching, "switching"},
    {Step::switched, "switched"},
    {Step::script_starting, "script-starting"},
    {Step::script_ended, "script-ended"},
    {Step::activated, "activated"},
    {Step::awaiting_confirm, "awaiting-confirm"},
    {Step::setting_boot_default, "setting-boot-default"},
    {Step::confirmed, "confirmed"},
    {Step::dry_run, "dry-run"},
    {Step::failed, "failed"},
    {Step::rolling_back, "rolling-back"},
    {Step::reactivating, "reactivating"},
    {Step::rolled_back, "rolled-back"},
    {Step::rollback_failed, "rollback-failed"},
    {Step::superseded, "superseded"},
    {Step::closed, "closed"},
}};

/// FNV-1a, 64 bits: it tells a torn line from a whole one. Whoever can write here need not forge.
std::string checksum(std::string_view text) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  }
  std::array<char, checksum_length + 1> digits{};
  std::snprintf(digits.data(), digits.size(), "%016llx", static_cast<unsigned long long>(hash));
  return digits.data();
}

Json to_json(const Entry& entry) {
  Json json = {{"step", name_of(entry.step)}, {"time", entry.time.time_since_epoch().count()}};
  const auto put = [&](const char* key, const std::string& text) {
    if (!text.empty()) {
      json[key] = text;
    }
  };
  put("reason", entry.reason);
  put("message", one_line(entry.message.substr(0, message_cap)));
  put("boot", entry.boot);
  put("request", entry.request);
  put("signal", entry.signal.value_or(""));
  if (entry.profile) {
    json["profile"] = *entry.profile;
  }
  if (entry.generation) {
    json["generation"] = *entry.generation;
  }
  if (entry.exit_status) {
    json["exit_status"] = *entry.exit_status;
  }
  if (entry.duration) {
    json["duration_ms"] = entry.duration->count();
  }
  if (entry.deadline) {
    json["deadline_ms"] = entry.deadline->time_since_epoch().count();
  }
  return json;
}

Entry entry_from(const Json& json) {
  const auto step = step_from(text_at(json, "step"));
  const auto profile = maybe_integer_at(json, "profile");
  const auto deadline = maybe_duration_at(json, "deadline_ms");
  if (!step) {
    of_later_version("step \"" + one_line(text_at(json, "step").substr(0, name_cap)) + "\"");
  }
  if (profile && *profile < 0) {
    throw Error(ErrorKind::protocol, "an entry about profile " + std::to_string(*profile));
  }
  return {.step = *step,
          .profile = profile ? std::optional(static_cast<std::size_t>(*profile)) : std::nullopt,
          .reason = maybe_text_at(json, "reason").value_or(""),
          .message = maybe_text_at(json, "message").value_or(""),
          .generation = maybe_small_integer_at(json, "generation"),
          .exit_status = maybe_small_integer_at(json, "exit_status"),
          .signal = maybe_text_at(json, "signal"),
          .duration = maybe_duration_at(json, "duration_ms"),
          .deadline = deadline ? std::optional(Instant(*deadline)) : std::nullopt,
          .boot = maybe_text_at(json, "boot").value_or(""),
          .request = maybe_text_at(json, "request").value_or(""),
          .time = WallTime(Duration(integer_at(json, "time")))};
}

} // namespace

bool is_synced_at_once(Step step) {
  return step != Step::keeping && step != Step::request && step != Step::activated &&
         step != Step::finished;
}

std::string_view name_of(Step step) {
  for (const auto& [value, name] : names) {
    if (value == step) {
      return name;
    }
  }
  return "";
}

std::optional<Step> step_from(std::string_view name) {
  for (const auto& [value, known] : names) {
    if (known == name) {
      return value;
    }
  }
  return std::nullopt;
}

std::string encode_entry(const Entry& entry) {
  const auto text = dump(to_json(entry));
  return checksum(text) + " " + text + "\n";
}

std::optional<Entry> decode_entry(std::string_view line) {
  if (line.size() < checksum_length + 1 ||
      checksum(line.substr(checksum_length + 1)) != line.substr(0, checksum_length)) {
    return std::nullopt;
  }
  return entry_from(parse_object(line.substr(checksum_length + 1)));
}

std::vector<Entry> decode_journal(std::string_view text) {
  std::vector<Entry> entries;
  for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    if (auto entry = decode_entry(text.substr(0, end))) {
      entries.push_back(std::move(*entry));
    }
    text.remove_prefix(end + 1);
  }
  return entries; // the rest is being written, or torn
}

std::vector<Entry> read_journal(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) {
    return {};
  }
  const auto text = read_file(path, journal_cap);
  try {
    return decode_journal(text);
  } catch (Error& error) {
    error.add_context(path.string());
    throw;
  }
}

JournalFile::JournalFile(const std::filesystem::path& path)
    : fd_(open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600)) {
  if (!fd_) {
    throw Error::from_errno("cannot open the journal " + path.string(), errno);
  }
  const off_t size = lseek(fd_.get(), 0, SEEK_END);
  char last = '\n';
  in_line_ = size > 0 && (pread(fd_.get(), &last, 1, size - 1) != 1 || last != '\n');
#ifdef __linux__
  if (size < journal_reserve) {
    fallocate(fd_.get(), FALLOC_FL_KEEP_SIZE, 0, journal_reserve); // where the file system can
  }
#endif
}

void JournalFile::append(const Entry& entry) {
  const CutAround cut(entry.step);
  const auto line = (in_line_ ? "\n" : "") + encode_entry(entry);
  in_line_ = true;
  cut_within(entry.step, fd_.get(), line);
  write_all(fd_.get(), line);
  if (is_synced_at_once(entry.step) && fsync(fd_.get()) != 0) {
    throw Error::from_errno("cannot sync the journal", errno);
  }
  in_line_ = false;
}

} // namespace belay::agent
