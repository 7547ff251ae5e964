// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/transaction_files.h"

#include "engine/agent/journal.h"
#include "engine/agent/requests.h"
#include "engine/agent/script_output.h"
#include "engine/agent/spawn.h"
#include "engine/base/error.h"
#include "engine/base/file.h"
#include "tests/catch.h"
#include "tests/unit/agent/agent_process.h"

#include <fcntl.h>
#include <fstream>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace belay::agent;
using belay::Error;
namespace fs = std::filesystem;

namespace {

struct Folder {
  belay::TemporaryDirectory folder{"/tmp/belay-state-"};
  fs::path state = folder.path() / "nix" / "belay";

  unsigned mode() const {
    struct stat facts {};
    REQUIRE(stat(state.c_str(), &facts) == 0);
    return facts.st_mode & 07777U;
  }
};

} // namespace

TEST_CASE("state directory: is made, for its owner alone") {
  Folder f;
  secure_state_directory(f.state);
  CHECK(f.mode() == 0700);
  secure_state_directory(f.state);
  chmod(f.state.c_str(), 0777);
  secure_state_directory(f.state);
  CHECK(f.mode() == 0700);
}

TEST_CASE("state directory: its identity is that of the folder, however one gets there") {
  Folder f;
  const auto before = identity_of(f.state, "boot");
  CHECK_FALSE(before.empty());
  CHECK(identity_of(f.folder.path() / "nix/../nix/belay", "boot") == before);
  CHECK(identity_of(f.folder.path() / "nix/other", "boot") != before);
  const auto alias = f.folder.path() / "alias";
  fs::create_directory_symlink(f.folder.path(), alias);
  CHECK(identity_of(alias / "nix/belay", "boot") == before);

  secure_state_directory(f.state);
  const auto made = identity_of(f.state, "boot");
  CHECK(made != before);
  CHECK(identity_of(alias / "nix/belay", "boot") == made);
  CHECK(identity_of(f.state, "another boot") != made);
  CHECK(identity_of(f.state, "").empty());
}

TEST_CASE("state directory: a symlink is not followed") {
  Folder f;
  const auto elsewhere = f.folder.path() / "elsewhere";
  fs::create_directories(elsewhere);
  fs::create_directories(f.state.parent_path());
  fs::create_directory_symlink(elsewhere, f.state);
  CHECK_THROWS_AS(secure_state_directory(f.state), Error);
}

TEST_CASE("state directory: a file is none") {
  Folder f;
  fs::create_directories(f.state.parent_path());
  std::ofstream(f.state) << "x";
  CHECK_THROWS_AS(secure_state_directory(f.state), Error);
}

TEST_CASE("state directory: somebody else's is refused") {
  if (geteuid() != 0) {
    WARN("only root can make a folder that belongs to somebody else: left out");
    return;
  }
  Folder f;
  secure_state_directory(f.state);
  REQUIRE(chown(f.state.c_str(), 12345, 12345) == 0);
  CHECK_THROWS_AS(secure_state_directory(f.state), Error);
}

TEST_CASE("transaction ids: nothing but what we make") {
  CHECK(is_transaction_id("0123456789abcdef"));
  for (const auto* text :
       {"", "abc", "../../etc", "0123456789abcdeF", "01234567 9abcdef", "01234567/9abcdef"}) {
    CHECK_FALSE(is_transaction_id(text));
  }
  Folder f;
  fs::create_directories(f.state / "0123456789abcdef");
  fs::create_directories(f.state / "not-one");
  fs::create_directory_symlink("/etc", f.state / "aaaaaaaaaaaaaaaa");
  CHECK(list_transactions(f.state) == std::vector<std::string>{"0123456789abcdef"});
  CHECK(list_transactions(f.state / "missing").empty());
}

TEST_CASE("file lock: one at a time, and free when its holder is gone") {
  Folder f;
  fs::create_directories(f.state);
  const auto path = f.state / "lock";
  CHECK_FALSE(is_locked(path));
  {
    const auto lock = FileLock::try_acquire(path);
    REQUIRE(lock);
    CHECK(is_locked(path));
    CHECK_FALSE(FileLock::acquire(path, belay::Wait::at_most(belay::Duration(20))));
  }
  CHECK_FALSE(is_locked(path));
  {
    const belay::UniqueFd another_look(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(flock(another_look.get(), LOCK_SH | LOCK_NB) == 0);
    CHECK_FALSE(is_locked(path)); // who looks is no keeper
    CHECK_FALSE(FileLock::try_acquire(path));
  }
  fs::create_symlink("/etc/passwd", f.state / "link");
  CHECK_THROWS_AS(FileLock::try_acquire(f.state / "link"), Error);
}

TEST_CASE("state directory: no file in it is written through a link") {
  Folder f;
  fs::create_directories(f.state);
  const auto target = f.folder.path() / "target";
  const auto link = f.state / "link";
  std::ofstream(target) << "untouched";
  fs::create_symlink(target, link);
  CHECK_THROWS_AS(JournalFile(link), Error);
  CHECK_THROWS_AS(ScriptOutputFile(link, 1024), Error);
  CHECK_THROWS_AS(spawn({.argv = {"echo", "x"}, .output = link}), Error);
  CHECK_THROWS_AS(is_locked(link), Error);
  CHECK(output_tail(link, 1024).empty());
  belay::replace_file(link, "ours", {.mode = 0600});
  CHECK_FALSE(fs::is_symlink(link));
  CHECK(belay::read_file(target, 1024) == "untouched");
}

TEST_CASE("state directory: what is dropped in it for a keeper is for its owner's eyes alone") {
  Folder f;
  const TransactionFiles files(f.state, "0123456789abcdef");
  fs::create_directories(files.requests());
  const RequestQueue queue(files);
  const belay::SystemClock clock;
  const auto name = queue.drop(FinishRequest{files.id()}, clock);
  queue.touch(clock.now(), "boot");
  for (const auto& path : {files.requests() / name, files.seen()}) {
    INFO(path);
    CHECK(fs::status(path).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  }
}

TEST_CASE("state directory: whatever the umask, nothing that an agent keeps is open to others") {
  if (!test::NixWorld::has_nix()) {
    WARN("there is no nix-store here: left out");
    return;
  }
  test::NixWorld world;
  const PrepareRequest::Profile profile{.name = "system",
                                        .closure = world.generation("good", "echo a secret"),
                                        .activation_timeout = std::chrono::seconds(20)};
  const auto before = umask(0);
  test::Conversation agent(world);
  const auto reply = agent.ask(PrepareRequest{.run = "run-1", .profiles = {profile}});
  const auto transaction = std::get<TransactionStatus>(reply).transaction;
  agent.ask(ActivateRequest{transaction, "system"});
  agent.until(State::awaiting_confirm);
  agent.kill();
  umask(before);
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(world.state_directory())) {
    if (!entry.is_symlink()) {
      INFO(entry.path());
      CHECK((entry.status().permissions() & (fs::perms::group_all | fs::perms::others_all)) ==
            fs::perms::none);
      ++files;
    }
  }
  CHECK(files >= 8);
}
