// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/record.h"

#include "engine/agent/fault_point.h"
#include "engine/agent/protocol_json.h"
#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/text.h"

#include <algorithm>
#include <cstdlib>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __APPLE__
#include <sys/sysctl.h>
#endif

extern char** environ; // NOLINT: POSIX declares it nowhere

namespace belay::agent {

namespace {

constexpr std::size_t record_cap = 16 * 1024 * 1024; // environments may be large
/// Bumped when an old agent could misunderstand.
constexpr std::int64_t record_version = 1;

Json to_json(const RecordedProfile& profile) {
  PrepareRequest one;
  one.profiles.push_back(profile.wanted);
  return {{"wanted", to_json(one)},
          {"path", profile.path},
          {"link", or_null(profile.link)},
          {"generation", to_json(profile.generation)},
          {"closure_path", profile.closure_path},
          {"numbers", profile.numbers},
          {"reactivate", profile.reactivate}};
}

RecordedProfile recorded_profile_from(const Json& json) {
  const auto wanted = prepare_request_from(object_at(json, "wanted"));
  if (wanted.profiles.size() != 1) {
    throw Error(ErrorKind::protocol, "field \"wanted\" is not one profile");
  }
  RecordedProfile profile{.wanted = wanted.profiles.front(),
                          .path = text_at(json, "path"),
                          .link = maybe_text_at(json, "link"),
                          .generation = generation_from(object_at(json, "generation")),
                          .closure_path = text_at(json, "closure_path"),
                          .numbers = {},
                          .reactivate = text_at(json, "reactivate")};
  for (const auto& number : array_at(json, "numbers")) {
    if (!number.is_number_integer()) {
      throw Error(ErrorKind::protocol, "\"numbers\" are to be whole numbers");
    }
    profile.numbers.push_back(number.get<int>());
  }
  return profile;
}

Json to_json(const Surroundings& surroundings) {
  return {{"environment", details_json(surroundings.environment)},
          {"umask", static_cast<int>(surroundings.umask)},
          {"directory", surroundings.directory}};
}

Surroundings surroundings_from(const Json& json) {
  return {.environment = details_from(object_at(json, "environment")),
          .umask = static_cast<mode_t>(small_integer_at(json, "umask")),
          .directory = text_at(json, "directory")};
}

void require_known_version(const Json& json) {
  const auto version = integer_at(json, "version");
  if (version > record_version) {
    of_later_version("version " + std::to_string(version));
  }
}

Record record_from(const Json& json) {
  require_known_version(json);
  Record record{.transaction = text_at(json, "transaction"),
                .run = text_at(json, "run"),
                .node = maybe_text_at(json, "node").value_or(""),
                .holder_url = text_at(json, "holder_url"),
                .since = WallTime(Duration(integer_at(json, "since"))),
                .boot = text_at(json, "boot"),
                .user = text_at(json, "user"),
                .running = text_at(json, "running"),
                .booted = text_at(json, "booted"),
                .profiles = {},
                .details = details_from(object_at(json, "details")),
                .surroundings = surroundings_from(object_at(json, "surroundings"))};
  for (const auto& profile : array_at(json, "profiles")) {
    record.profiles.push_back(recorded_profile_from(profile));
  }
  return record;
}

} // namespace

std::string value_of(const std::map<std::string, std::string>& environment, const char* name) {
  const auto found = environment.find(name);
  return found == environment.end() ? "" : found->second;
}

Surroundings Surroundings::here() {
  Surroundings surroundings;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (const auto equals = text.find('='); equals != std::string_view::npos && equals > 0) {
      surroundings.environment[std::string(text.substr(0, equals))] = text.substr(equals + 1);
    }
  }
  surroundings.umask = ::umask(022);
  ::umask(surroundings.umask);
  std::error_code problem;
  surroundings.directory = std::filesystem::current_path(problem).string();
  return surroundings;
}

void Surroundings::restore() const {
  for (const auto& [name, value] : here().environment) {
    if (!environment.contains(name)) {
      unsetenv(name.c_str()); // NOLINT: one thread
    }
  }
  for (const auto& [name, value] : environment) {
    setenv(name.c_str(), value.c_str(), 1); // NOLINT: one thread
  }
  ::umask(umask);
  if (directory.empty() || chdir(directory.c_str()) != 0) {
    [[maybe_unused]] const int ignored = chdir("/");
  }
}

std::optional<std::size_t> Record::index_of(std::string_view profile) const {
  const auto found = std::find_if(profiles.begin(), profiles.end(), [&](const auto& candidate) {
    return candidate.wanted.name == profile;
  });
  return found == profiles.end()
             ? std::nullopt
             : std::optional(static_cast<std::size_t>(found - profiles.begin()));
}

void write_record(const std::filesystem::path& path, const Record& record) {
  auto profiles = Json::array();
  for (const auto& profile : record.profiles) {
    profiles.push_back(to_json(profile));
  }
  const Json json = {{"version", record_version},
                     {"transaction", record.transaction},
                     {"run", record.run},
                     {"node", record.node},
                     {"holder_url", record.holder_url},
                     {"since", record.since.time_since_epoch().count()},
                     {"boot", record.boot},
                     {"user", record.user},
                     {"running", record.running},
                     {"booted", record.booted},
                     {"profiles", std::move(profiles)},
                     {"details", details_json(record.details)},
                     {"surroundings", to_json(record.surroundings)}};
  const CutAround cut(Deed::write_record);
  replace_file(path, dump(json) + "\n", {.mode = 0600, .sync = true});
}

std::optional<Record> read_record(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) {
    return std::nullopt;
  }
  const auto text = read_file(path, record_cap);
  try {
    return record_from(parse_object(text));
  } catch (Error& error) {
    error.add_context(path.string());
    throw;
  }
}

std::string boot_id() {
#ifdef __APPLE__
  char text[64] = {};
  std::size_t size = sizeof text - 1;
  return sysctlbyname("kern.bootsessionuuid", text, &size, nullptr, 0) == 0 ? text : "unknown";
#else
  return std::string(trim(read_file("/proc/sys/kernel/random/boot_id", 4096)));
#endif
}

} // namespace belay::agent
