// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/canary.h"

#include "engine/agent/record.h"
#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/store_path.h"
#include "tests/catch.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

using namespace belay::agent;
namespace fs = std::filesystem;

namespace {

/// A canary that was shown, and what is known of it.
struct OneCanary {
  const belay::TemporaryDirectory folder{"/tmp/belay-canary-"};
  const belay::StorePath closure =
      *belay::StorePath::parse("/nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-x");
  const std::string transaction = "0123456789abcdef01234567";
  const Canary canary{folder.path() / "made", closure};
  const fs::path known = folder.path() / "known";

  std::optional<ShownCanary> find() const { return ShownCanary::find(canary, transaction, known); }
  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder.path() / "made"), fs::directory_iterator()));
  }
};

void replace_in(const fs::path& path, const std::string& from, const std::string& to) {
  auto text = belay::read_file(path, 10000);
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  belay::replace_file(path, text.replace(at, from.size(), to));
}

} // namespace

TEST_CASE("activate-rs: a canary's removal is won by one side") {
  const OneCanary one;
  const auto& canary = one.canary;
  CHECK_FALSE(canary.read());
  CHECK_FALSE(one.find());
  canary.clear();
  canary.show(one.transaction, one.known);
  canary.show(one.transaction, one.known); // a keeper that was started again
  const auto shown = one.find();
  REQUIRE(shown);
  CHECK(canary.read() == one.transaction);
  CHECK_FALSE(shown->is_removed());
  CHECK_THROWS_AS(canary.show("0123456789abcdef0123ffff", one.folder.path() / "other"),
                  belay::Error);
  SECTION("by who confirms") {
    fs::remove(canary.path());
    CHECK(shown->is_removed());
    CHECK_FALSE(shown->take());
  }
  SECTION("by who confirms, though something else stands there now") {
    fs::rename(canary.path(), one.folder.path() / "kept"); // or its inode would be used again
    std::ofstream(canary.path()) << "another one's";
    CHECK(shown->is_removed());
    CHECK_FALSE(shown->take());
    shown->drop();
    CHECK(belay::read_file(canary.path(), 100) == "another one's");
  }
  SECTION("by the deadline, for whoever comes after, too") {
    CHECK(shown->take());
    CHECK_FALSE(fs::exists(canary.path()));
    for (int again = 0; again < 2; ++again) {
      const auto later = one.find();
      REQUIRE(later);
      CHECK_FALSE(later->is_removed());
      CHECK(later->take());
    }
    shown->drop();
    CHECK(one.files() == 0);
  }
  SECTION("by nobody where the machine was restarted: it is gone with /tmp") {
    replace_in(one.known, boot_id(), "another-boot");
    const auto later = one.find();
    REQUIRE(later);
    SECTION("or still there") {
      CHECK(later->take());
      CHECK_FALSE(fs::exists(canary.path()));
    }
    SECTION("or not") {
      fs::remove(canary.path());
      CHECK_FALSE(later->is_removed());
      CHECK(later->take());
    }
  }
  SECTION("by nobody where another folder stands there now") {
    fs::rename(one.folder.path() / "made", one.folder.path() / "hidden");
    CHECK_FALSE(shown->is_removed());
    fs::create_directory(one.folder.path() / "made");
    CHECK_FALSE(shown->is_removed());
    CHECK(shown->take());
  }
  SECTION("a link to one is none") {
    fs::rename(canary.path(), one.folder.path() / "kept");
    fs::create_symlink(one.folder.path() / "kept", canary.path());
    CHECK_FALSE(canary.read());
  }
  SECTION("one that was made, and not known yet, is made anew") {
    fs::remove(one.known);
    canary.show(one.transaction, one.known);
    CHECK_FALSE(one.find()->is_removed());
  }
}
