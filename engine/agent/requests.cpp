// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/requests.h"

#include "engine/agent/fault_point.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <unistd.h>

namespace belay::agent {

namespace fs = std::filesystem;

namespace {
constexpr std::string_view ending = ".request";
} // namespace

std::string RequestQueue::drop(const RequestBody& body, const Clock& clock) const {
  std::array<char, 32> stamp{};
  std::snprintf(stamp.data(), stamp.size(), "%015lld",
                static_cast<long long>(clock.now().time_since_epoch().count()));
  const auto name = std::string(stamp.data()) + "-" + random_hex(4) + std::string(ending);
  const CutAround cut(Deed::drop_request);
  replace_file(files_.requests() / name, encode(Request{0, body}), {.mode = 0600});
  return name; // it is the keeper's answer that has to be durable
}

std::vector<RequestQueue::Dropped> RequestQueue::list() const {
  std::vector<Dropped> dropped;
  std::error_code problem;
  for (fs::directory_iterator entry(files_.requests(), problem), end; !problem && entry != end;
       entry.increment(problem)) {
    if (auto name = entry->path().filename().string(); name.ends_with(ending)) {
      dropped.push_back({std::move(name), std::nullopt});
    }
  }
  std::sort(dropped.begin(), dropped.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  std::erase_if(dropped, [this](Dropped& one) { return !fill(one); });
  return dropped;
}

/// False where it cannot be read now: it was taken back, or the machine is out of something.
bool RequestQueue::fill(Dropped& dropped) const {
  const auto path = files_.requests() / dropped.name;
  try {
    dropped.body = decode_request(trim(read_file(path, line_limit))).body;
  } catch (const Error& error) { // what is none stays without a body, and is refused
    std::error_code unknown;
    const auto size = fs::file_size(path, unknown);
    return error.kind() == ErrorKind::protocol || (!unknown && size > line_limit);
  }
  return true;
}

bool RequestQueue::is_there(const std::string& name) const {
  return access((files_.requests() / name).c_str(), F_OK) == 0;
}

bool RequestQueue::remove(const std::string& name) const {
  const CutAround cut(Deed::remove_request);
  return unlink((files_.requests() / name).c_str()) == 0;
}

std::optional<Instant> RequestQueue::last_seen(const std::string& boot) const {
  std::string text;
  try {
    text = read_file(files_.seen(), 4096);
  } catch (const Error&) { // it may be missing; and it is nothing that a keeper should end of
    return std::nullopt;
  }
  const auto words = split_white_space(text);
  std::int64_t count = 0;
  if (words.size() != 2 || words[1] != boot ||
      std::from_chars(words[0].data(), words[0].data() + words[0].size(), count).ec !=
          std::errc()) {
    return std::nullopt;
  }
  return Instant(Duration(count));
}

void RequestQueue::touch(Instant now, const std::string& boot) const {
  const CutAround cut(Deed::write_seen);
  replace_file(files_.seen(), std::to_string(now.time_since_epoch().count()) + " " + boot + "\n",
               {.mode = 0600});
}

} // namespace belay::agent
