// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/deploy_log.h"

#include "engine/agent/fault_point.h"
#include "engine/agent/journal.h"
#include "engine/agent/record.h"
#include "engine/agent/script_output.h"
#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/text.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <vector>

namespace belay::agent {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t keeper_log_limit = 8 * 1024;
constexpr std::size_t part_limit = 8 * 1024; // escaped, a byte is at most six in JSON
constexpr std::string_view ending = ".log";

fs::path folder_of(const fs::path& state_directory) {
  return state_directory / "logs";
}

/// The beginning of a deploy leads its name, so that names sort by time.
std::string file_name(const Record& record) {
  char time[32] = {};
  std::snprintf(time, sizeof time, "%015lld",
                static_cast<long long>(record.since.time_since_epoch().count()));
  return std::string(time) + "-" + record.transaction + std::string(ending);
}

std::vector<fs::path> kept_files(const fs::path& state_directory) {
  std::vector<fs::path> files;
  std::error_code problem;
  for (fs::directory_iterator entry(folder_of(state_directory), problem), end;
       !problem && entry != end; entry.increment(problem)) {
    if (entry->is_regular_file(problem) && entry->path().extension() == ending) {
      files.push_back(entry->path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// What is left of one whose writer died.
void remove_pieces(const fs::path& state_directory) {
  std::vector<fs::path> pieces;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder_of(state_directory), ignored)) {
    if (entry.path().extension() != ending) {
      pieces.push_back(entry.path());
    }
  }
  for (const auto& piece : pieces) {
    fs::remove(piece, ignored);
  }
}

std::string line_of(const Entry& entry, const Record& record) {
  std::string line = format_time(entry.time) + "  ";
  if (entry.profile && *entry.profile < record.profiles.size()) {
    line += one_line(record.profiles[*entry.profile].wanted.name) + ": ";
  }
  line += name_of(entry.step);
  if (entry.generation) {
    line += ", generation " + std::to_string(*entry.generation);
  }
  if (entry.exit_status) {
    line += ", exit status " + std::to_string(*entry.exit_status);
  }
  if (entry.signal) {
    line += ", " + *entry.signal;
  }
  if (entry.duration) {
    line += ", after " + format_duration(*entry.duration);
  }
  for (const auto& text : {entry.reason, entry.message}) {
    line += text.empty() ? "" : "; " + one_line(text);
  }
  return line + "\n";
}

std::string indented(const std::string& title, const fs::path& path, std::size_t limit) {
  const auto text = clean_text(output_tail(path, limit));
  if (trim(text).empty()) {
    return {};
  }
  std::string block = title + "\n";
  for (const auto& line : split(trim(text), '\n')) {
    block += "  | " + line + "\n";
  }
  return block;
}

std::string written(const TransactionFiles& files, const Record& record) {
  std::string log = format_time(record.since) + "  deploy " + record.transaction + " of run " +
                    one_line(record.run) +
                    (record.holder_url.empty() ? "" : " " + one_line(record.holder_url)) + " as " +
                    one_line(record.user) + "\n";
  for (const auto& profile : record.profiles) {
    log += "  " + one_line(profile.wanted.name) + " is to be " + profile.wanted.closure +
           ", before " + (profile.generation.path.empty() ? "none" : profile.generation.path) +
           "\n";
  }
  for (const auto& entry : read_journal(files.journal())) {
    log += line_of(entry, record);
  }
  for (std::size_t i = 0; i < record.profiles.size(); ++i) {
    log +=
        indented("what " + one_line(record.profiles[i].wanted.name) + " printed:", files.output(i),
                 log_output_limit);
  }
  log += indented("what the keeper said:", files.keeper_log(), keeper_log_limit);
  return std::string(tail(log, deploy_log_limit));
}

std::string read_kept(const fs::path& path) {
  return read_file(path, 2 * deploy_log_limit);
}

/// One that cannot be read is no reason to show none.
std::string or_why_not(const std::string& id, const std::function<std::string()>& read) {
  try {
    return read();
  } catch (const std::exception& error) {
    return id + "  cannot be read: " + one_line(error.what()) + "\n";
  }
}

} // namespace

std::optional<std::string> deploy_log(const TransactionFiles& files) {
  if (const auto record = read_record(files.record())) {
    return written(files, *record);
  }
  for (const auto& kept : kept_files(files.state_directory())) {
    if (kept.filename().string().ends_with("-" + files.id() + std::string(ending))) {
      return read_kept(kept);
    }
  }
  return std::nullopt;
}

void keep_log(const TransactionFiles& files) {
  const auto record = read_record(files.record());
  if (!record) {
    return;
  }
  const CutAround cut(Deed::keep_log);
  remove_pieces(files.state_directory());
  replace_file(folder_of(files.state_directory()) / file_name(*record), written(files, *record),
               {.mode = 0600});
  auto kept = kept_files(files.state_directory());
  for (; kept.size() > kept_logs; kept.erase(kept.begin())) {
    std::error_code ignored;
    fs::remove(kept.front(), ignored);
  }
}

std::string all_deploy_logs(const fs::path& state_directory) {
  std::vector<std::pair<std::string, std::string>>
      logs; // by the names that files have or would have
  for (const auto& path : kept_files(state_directory)) {
    logs.emplace_back(path.filename(),
                      or_why_not(path.filename(), [&] { return read_kept(path); }));
  }
  for (const auto& id : list_transactions(state_directory)) {
    const TransactionFiles files(state_directory, id);
    std::string name = id;
    auto text = or_why_not(id, [&] {
      const auto record = read_record(files.record());
      name = record ? file_name(*record) : id;
      return record ? written(files, *record) : std::string();
    });
    logs.emplace_back(std::move(name), std::move(text));
  }
  std::sort(logs.begin(), logs.end());
  std::string all;
  for (const auto& [name, text] : logs) {
    all += all.empty() || text.empty() ? text : "\n" + text;
  }
  return all.empty() ? "no deploys in " + state_directory.string() + "\n" : all;
}

std::string_view log_part(std::string_view log, std::size_t offset) {
  auto part = log.substr(std::min(offset, log.size()));
  if (part.size() > part_limit) {
    part = part.substr(0, part_limit);
    const auto line_end = part.rfind('\n');
    part = part.substr(0, line_end == std::string_view::npos ? part_limit : line_end + 1);
  }
  return part;
}

} // namespace belay::agent
