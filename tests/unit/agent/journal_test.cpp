// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/journal.h"

#include "engine/agent/view.h"
#include "engine/base/error.h"
#include "engine/base/file.h"
#include "tests/catch.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <fstream>

using namespace belay::agent;
using namespace std::chrono_literals;

namespace {

struct Folder {
  belay::TemporaryDirectory folder{"/tmp/belay-journal-"};
  std::filesystem::path path = folder.path() / "journal";

  void append_raw(const std::string& text) const {
    std::ofstream(path, std::ios::app | std::ios::binary) << text;
  }
  std::vector<Step> steps() const {
    std::vector<Step> steps;
    for (const auto& entry : read_journal(path)) {
      steps.push_back(entry.step);
    }
    return steps;
  }
};

/// With the checksum that whoever wrote it would have given it: FNV-1a, 64 bits.
std::string sealed(const std::string& json) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char character : json) {
    hash = (hash ^ static_cast<unsigned char>(character)) * 0x100000001b3U;
  }
  std::array<char, 24> digits{};
  std::snprintf(digits.data(), digits.size(), "%016llx ", static_cast<unsigned long long>(hash));
  return digits.data() + json;
}

} // namespace

TEST_CASE("journal: entries come back as they went") {
  Folder f;
  CHECK(read_journal(f.path).empty());
  const Entry entry{.step = Step::script_ended,
                    .profile = 3,
                    .reason = "activation-failed",
                    .message = "exited 4",
                    .generation = 42,
                    .exit_status = 4,
                    .signal = "SIGKILL",
                    .duration = 12ms,
                    .deadline = belay::Instant(77ms),
                    .boot = "boot",
                    .request = "r",
                    .time = belay::WallTime(5ms)};
  JournalFile(f.path).append(entry);
  const auto read = read_journal(f.path);
  REQUIRE(read.size() == 1);
  CHECK(encode_entry(read[0]) == encode_entry(entry));
  CHECK(read[0].deadline == entry.deadline);
  CHECK(read[0].profile == 3U);
  CHECK(read[0].generation == 42);
}

TEST_CASE("journal: every step has a name that leads back to it") {
  for (int i = 0; i <= static_cast<int>(Step::closed); ++i) {
    const auto step = static_cast<Step>(i);
    CHECK_FALSE(name_of(step).empty());
    CHECK(step_from(name_of(step)) == step);
  }
}

TEST_CASE("journal: a torn last line is as if it had not been written, wherever it was torn") {
  const auto line = encode_entry({.step = Step::confirmed, .profile = 0});
  for (std::size_t cut = 0; cut < line.size(); ++cut) {
    Folder f;
    JournalFile(f.path).append({.step = Step::switching, .profile = 0});
    f.append_raw(line.substr(0, cut));
    CHECK(f.steps() == std::vector<Step>{Step::switching});
    // The next keeper goes on behind it.
    JournalFile(f.path).append({.step = Step::rolling_back, .profile = 0});
    const auto whole = cut == line.size() - 1; // only its line feed was missing
    CHECK(f.steps() ==
          (whole ? std::vector<Step>{Step::switching, Step::confirmed, Step::rolling_back}
                 : std::vector<Step>{Step::switching, Step::rolling_back}));
  }
}

TEST_CASE("journal: a changed line is not believed, those after it are") {
  Folder f;
  auto line = encode_entry({.step = Step::confirmed, .profile = 0});
  line[line.find("confirmed")] = 'C';
  f.append_raw(line);
  f.append_raw("0123456789abcdef {\"step\":\"confirmed\",\"time\":0}\n");
  f.append_raw("garbage\n\n\n");
  f.append_raw(std::string(5, '\0') + "\n");
  JournalFile(f.path).append({.step = Step::switched, .profile = 0});
  CHECK(f.steps() == std::vector<Step>{Step::switched});
}

TEST_CASE("journal: a whole line of a later version is no torn one") {
  Folder f;
  JournalFile(f.path).append({.step = Step::switching, .profile = 0});
  const auto later = sealed(R"({"profile":0,"step":"trying-twice","time":0})");
  SECTION("while it is being written it is one") {
    f.append_raw(later);
    CHECK(f.steps() == std::vector<Step>{Step::switching});
  }
  SECTION("whatever follows") {
    f.append_raw(later + "\n");
    JournalFile(f.path).append({.step = Step::rolling_back, .profile = 0});
    try {
      f.steps();
      FAIL("it was read");
    } catch (const belay::Error& error) {
      CHECK(error.kind() == belay::ErrorKind::protocol);
      CHECK(error.message() ==
            f.path.string() +
                ": step \"trying-twice\" is of a later belay than this one: deploy with that one, "
                "or run its `belay-agent recover` on the target");
    }
  }
}

TEST_CASE("journal: what is folded from it") {
  View view(1);
  CHECK(view.profiles[0].state == State::prepared);
  view.apply({.step = Step::keeping});
  view.apply({.step = Step::request, .profile = 0, .request = "a"});
  view.apply({.step = Step::switching, .profile = 0});
  CHECK(view.profiles[0].state == State::prepared);
  CHECK(view.profiles[0].switching);
  view.apply({.step = Step::switched, .profile = 0});
  view.apply({.step = Step::script_starting, .profile = 0});
  view.apply({.step = Step::script_ended, .profile = 0, .exit_status = 4});
  CHECK(view.profiles[0].exit_status == 4);
  view.apply({.step = Step::rolling_back, .profile = 0, .reason = "why", .message = "because"});
  view.apply({.step = Step::rolled_back, .profile = 0});
  CHECK(view.profiles[0].state == State::rolled_back);
  CHECK(view.profiles[0].reason == "why");
  CHECK(view.profiles[0].message == "because");
  view.apply({.step = Step::rolled_back, .profile = 7}); // of a record that is not ours
  CHECK_FALSE(view.closed);
  view.apply({.step = Step::closed});
  CHECK(view.closed);
  CHECK(view.requests.contains("a"));
}
