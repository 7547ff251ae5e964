// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/activate_rs_options.h"
#include "engine/agent/canary.h"
#include "engine/agent/profile_store.h"
#include "engine/agent/record.h"
#include "engine/agent/requests.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "tests/catch.h"
#include "tests/unit/agent/agent_process.h"

#include <csignal>
#include <fstream>
#include <future>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

// deploy-rs's conversation with a closure's activate-rs, by the real program and a real Nix:
// `activate` in one login, `wait` in a second one, `rm` of the canary in a third.

using namespace belay::agent;
using belay::ProcessResult;
using belay::agent::test::agent_program;
using belay::agent::test::NixWorld;
using std::chrono::seconds;
namespace fs = std::filesystem;

namespace {

bool left_out() {
  if (NixWorld::has_nix()) {
    return false;
  }
  WARN("there is no nix-store here: left out");
  return true;
}

std::vector<std::string> words_of(const std::string& text) {
  return belay::split_white_space(text);
}

/// deploy-rs on a world of its own.
class DeployRs {
public:
  DeployRs() {
    fs::create_symlink(agent_program(), world.path("activate-rs"));
    fs::create_directory(temp());
  }

  fs::path temp() const { return world.path("tmp"); }
  fs::path canary(const std::string& closure) const {
    return temp() / ("deploy-rs-canary-" + fs::path(closure).filename().string().substr(0, 32));
  }
  std::string generation(const std::string& name, const std::string& script = "") const {
    return world.generation(name, "echo " + name + ":$DRY_ACTIVATE:$BOOT >>" + log().string() +
                                      "\n" + script);
  }
  std::string ran() const {
    std::ifstream file(log());
    std::string all, line;
    while (std::getline(file, line)) {
      all += (all.empty() ? "" : " ") + line;
    }
    return all;
  }

  ProcessResult call(const std::string& arguments) const {
    std::vector<std::string> argv = {world.path("activate-rs").string()};
    const auto words = words_of(arguments);
    argv.insert(argv.end(), words.begin(), words.end());
    return world.run(argv);
  }
  std::future<ProcessResult> activate(const std::string& closure, const std::string& more = "",
                                      int confirm_timeout = 20) const {
    return std::async(std::launch::async, [=, this] {
      return call("--debug-logs --log-dir /var/log activate " + closure + " " + profile +
                  " --temp-path " + temp().string() + " --confirm-timeout " +
                  std::to_string(confirm_timeout) + " --auto-rollback " + more);
    });
  }
  ProcessResult wait(const std::string& closure, int limit = 20) const {
    return call("wait " + closure + " --temp-path " + temp().string() + " --activation-timeout " +
                std::to_string(limit));
  }
  /// The processes that watch a canary for deploy-rs.
  std::vector<pid_t> activating() const {
    std::vector<pid_t> found;
    for (const auto pid : world.processes()) {
      std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline");
      std::string program, flag;
      std::getline(file, program, '\0');
      std::getline(file, flag, '\0');
      if (program == world.path("activate-rs") && flag == "--debug-logs") {
        found.push_back(pid);
      }
    }
    return found;
  }
  /// Until what awaited its confirmation has come to its end.
  void until_over() const {
    const auto limit = belay::Wait::at_most(seconds(20));
    for (;;) {
      const auto said = world.run({agent_program(), "status", "--json"}).out;
      if (said.find("awaiting-confirm") == std::string::npos &&
          said.find("rolling-back") == std::string::npos) {
        return;
      }
      REQUIRE_FALSE(limit.expired());
    }
  }
  ProcessResult revoke() const { return call("revoke " + profile); }

  /// The whole of it, confirmed.
  void deploy(const std::string& closure) const {
    auto activating = activate(closure, "--magic-rollback");
    REQUIRE(wait(closure).succeeded());
    REQUIRE(fs::remove(canary(closure)));
    const auto result = activating.get();
    INFO(result.err);
    REQUIRE(result.succeeded());
    REQUIRE(world.system() == closure);
  }

  NixWorld world;
  std::string profile = "--profile-user root --profile-name system";

private:
  fs::path log() const { return world.path("ran"); }
};

int exit_status(const ProcessResult& result) {
  INFO(result.out << result.err);
  REQUIRE(result.end == ProcessResult::End::exited);
  return result.status;
}

} // namespace

TEST_CASE("activate-rs: deploy-rs's command lines") {
  const std::string closure = "/nix/store/s66mzxpvicwk07gjbjfw9izjfa797vsw-x";
  const auto parse = [&](const std::string& text) { return parse_activate_rs(words_of(text)); };
  const auto activate = std::get<ActivateRsActivate>(
      parse("-d --log-dir /l activate " + closure +
            " --profile-path /p --temp-path /tmp "
            "--confirm-timeout 30 --magic-rollback --auto-rollback --dry-activate --boot"));
  CHECK(activate.closure.string() == closure);
  CHECK(activate.profile.path == "/p");
  CHECK(activate.temp_path == "/tmp");
  CHECK(activate.confirm_timeout == seconds(30));
  CHECK((activate.magic_rollback && activate.auto_rollback));
  CHECK((activate.dry_activate && activate.boot));
  const auto wait = std::get<ActivateRsWait>(parse("wait " + closure + " --temp-path /tmp"));
  CHECK(wait.activation_timeout == seconds(240));
  const auto revoke = std::get<ActivateRsRevoke>(
      parse("--debug-logs revoke --profile-user=app --profile-name web"));
  CHECK(revoke.profile.user == "app");
  CHECK(revoke.profile.name == "web");
  for (const std::string text :
       {"", "deactivate", "activate", "activate /etc/passwd --temp-path /t --confirm-timeout 1",
        "wait", "revoke", "revoke --profile-user app",
        "revoke --profile-user ../x --profile-name y",
        "revoke --profile-path /p --profile-user app --profile-name y", "revoke --profile-path p",
        "revoke --profile-path /p --boot", "revoke --profile-path /p --temp-path /t",
        "revoke --profile-path"}) {
    INFO(text);
    CHECK_THROWS_AS(parse(text), belay::Error);
  }
  for (const std::string text : {" --temp-path /t", " --temp-path /t --activation-timeout 65536",
                                 " --temp-path t", "", " --temp-path /t --sudo x", " more"}) {
    const bool good = text == " --temp-path /t";
    INFO(text);
    if (good) {
      CHECK_NOTHROW(parse("wait " + closure + text));
    } else {
      CHECK_THROWS_AS(parse("wait " + closure + text), belay::Error);
    }
  }
}

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

namespace {

/// Whether it is touched again and again, though nobody asks.
bool is_looked_after(const DeployRs& deploy_rs, const std::string& transaction) {
  const RequestQueue requests({deploy_rs.world.state_directory(), transaction});
  const auto before = requests.last_seen(boot_id());
  const auto wait = belay::Wait::at_most(seconds(10));
  while (before && !wait.expired()) {
    if (requests.last_seen(boot_id()) > before) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

} // namespace

TEST_CASE("activate-rs: confirmed by removing the canary, and only by that") {
  if (left_out()) {
    return;
  }
  DeployRs deploy_rs;
  const auto one = deploy_rs.generation("one"), two = deploy_rs.generation("two", "echo loud");
  deploy_rs.deploy(one);
  auto activating = deploy_rs.activate(two, "--magic-rollback");
  REQUIRE(deploy_rs.wait(two).succeeded());
  struct stat facts {};
  REQUIRE(lstat(deploy_rs.canary(two).c_str(), &facts) == 0);
  CHECK(S_ISREG(facts.st_mode));
  CHECK((facts.st_mode & 07777) == 0600);
  CHECK(
      is_looked_after(deploy_rs, *Canary(deploy_rs.temp(), *belay::StorePath::parse(two)).read()));
  fs::remove(deploy_rs.canary(two));
  const auto result = activating.get();
  CHECK(exit_status(result) == 0);
  CHECK(result.out.find("loud") != std::string::npos);
  CHECK(deploy_rs.world.system() == two);

  SECTION("not removed: back to what ran, and the canary is gone") {
    const auto three = deploy_rs.generation("three");
    auto late = deploy_rs.activate(three, "--magic-rollback", 1);
    REQUIRE(deploy_rs.wait(three).succeeded());
    CHECK(exit_status(late.get()) == 1);
    CHECK(deploy_rs.world.system() == two);
    CHECK_FALSE(fs::exists(deploy_rs.canary(three)));
    CHECK(deploy_rs.ran() == "one:0:0 two:0:0 three:0:0 two::");
  }
  SECTION("the unchanged closure that is not confirmed: it stays") {
    CHECK(exit_status(deploy_rs.activate(two, "--magic-rollback", 1).get()) == 1);
    CHECK(deploy_rs.world.system() == two);
  }
  SECTION("a script that fails: back, and nobody waits for ever") {
    const auto three = deploy_rs.generation("three", "exit 4");
    CHECK(exit_status(deploy_rs.activate(three, "--magic-rollback").get()) == 1);
    CHECK(deploy_rs.world.system() == two);
    CHECK(exit_status(deploy_rs.wait(three, 1)) == 1);
  }
  SECTION("without magic rollback nobody has to confirm") {
    const auto three = deploy_rs.generation("three");
    CHECK(exit_status(deploy_rs.activate(three).get()) == 0);
    CHECK(deploy_rs.world.system() == three);
  }
  SECTION("the keeper decides where activate is stopped: the canary's removal counts, or the rm "
          "fails") {
    const auto three = deploy_rs.generation("three");
    auto stopped = deploy_rs.activate(three, "--magic-rollback", 2);
    REQUIRE(deploy_rs.wait(three).succeeded());
    const auto pids = deploy_rs.activating();
    REQUIRE(pids.size() == 1);
    kill(pids.front(), SIGSTOP);
    const bool in_time = GENERATE(true, false);
    if (in_time) {
      CHECK(fs::remove(deploy_rs.canary(three)));
    } else {
      deploy_rs.until_over();
      CHECK_FALSE(fs::remove(deploy_rs.canary(three)));
    }
    deploy_rs.until_over();
    CHECK(deploy_rs.world.system() == (in_time ? three : two));
    kill(pids.front(), SIGCONT);
    CHECK(exit_status(stopped.get()) == (in_time ? 0 : 1));
  }
  SECTION("the keeper decides where activate was killed") {
    const auto three = deploy_rs.generation(
        "three", "kill -9 $(cat " + deploy_rs.world.path("pid").string() + ")");
    CHECK(deploy_rs.world
              .run({"sh", "-c",
                    "echo $$ >" + deploy_rs.world.path("pid").string() + "; exec " +
                        deploy_rs.world.path("activate-rs").string() + " activate " + three + " " +
                        deploy_rs.profile + " --temp-path " + deploy_rs.temp().string() +
                        " --confirm-timeout 1 --magic-rollback --auto-rollback"})
              .end == ProcessResult::End::signalled);
    const auto wait = belay::Wait::at_most(seconds(20));
    while (deploy_rs.world.system() != two) {
      REQUIRE_FALSE(wait.expired());
      std::this_thread::yield();
    }
  }
}

TEST_CASE("activate-rs: a dry run changes nothing and takes nothing back") {
  if (left_out()) {
    return;
  }
  DeployRs deploy_rs;
  const auto one = deploy_rs.generation("one");
  const auto two = deploy_rs.generation("two", "echo in $PWD of $PROFILE");
  const auto bad = deploy_rs.generation("bad", "exit 4");
  deploy_rs.deploy(one);
  const auto flags = "--magic-rollback --dry-activate"; // as deploy-rs sends them
  const auto deaf =
      deploy_rs.world.generation("deaf", "touch " + deploy_rs.world.path("done").string());
  CHECK(exit_status(deploy_rs.activate(deaf, flags).get()) == 1);
  CHECK_FALSE(fs::exists(deploy_rs.world.path("done")));
  const auto result = deploy_rs.activate(two, flags).get();
  CHECK(exit_status(result) == 0);
  CHECK(result.out.find("in " + two + " of " + two) != std::string::npos);
  CHECK(exit_status(deploy_rs.activate(bad, flags).get()) == 1);
  CHECK(deploy_rs.ran() == "one:0:0 two:1:0 bad:1:0");
  CHECK(deploy_rs.world.system() == one);
  CHECK_FALSE(fs::exists(deploy_rs.canary(two)));
}

TEST_CASE("activate-rs: for the next boot nothing is confirmed, and nothing that runs is touched") {
  if (left_out()) {
    return;
  }
  DeployRs deploy_rs;
  const auto one = deploy_rs.generation("one"), two = deploy_rs.generation("two"),
             bad = deploy_rs.generation("bad", "exit 4");
  deploy_rs.deploy(one);
  const auto flags = "--magic-rollback --boot";
  CHECK(exit_status(deploy_rs.activate(two, flags).get()) == 0);
  CHECK(deploy_rs.world.system() == two);
  CHECK(deploy_rs.ran() == "one:0:0 two:0:1");
  CHECK_FALSE(fs::exists(deploy_rs.canary(two)));
  CHECK(exit_status(deploy_rs.activate(bad, flags).get()) == 1);
  CHECK(deploy_rs.world.system() == two);
  CHECK(exit_status(deploy_rs.activate(one, flags).get()) == 0);
  CHECK(exit_status(deploy_rs.revoke()) == 0);
  CHECK(deploy_rs.world.system() == two);
  CHECK(deploy_rs.ran() == "one:0:0 two:0:1 bad:0:1 two:0:1 one:0:1 two:0:1");
}

TEST_CASE("activate-rs: revoke goes back to what that activation replaced") {
  if (left_out()) {
    return;
  }
  DeployRs deploy_rs;
  CHECK(exit_status(deploy_rs.revoke()) == 1); // nothing is known
  const auto one = deploy_rs.generation("one"), two = deploy_rs.generation("two"),
             three = deploy_rs.generation("three");
  deploy_rs.deploy(one);
  deploy_rs.deploy(two);
  deploy_rs.world.run({"nix-env", "-p", deploy_rs.world.path("state/profiles/system").string(),
                       "--switch-generation", "1"}); // by hand: what ran is not the number below
  deploy_rs.deploy(three);
  CHECK(exit_status(deploy_rs.revoke()) == 0);
  CHECK(deploy_rs.world.system() == one);
  CHECK(deploy_rs.ran() == "one:0:0 two:0:0 three:0:0 one::");
  CHECK(exit_status(deploy_rs.revoke()) == 1); // not twice
  CHECK(deploy_rs.world.system() == one);

  deploy_rs.deploy(three);
  deploy_rs.world.run({"nix-env", "-p", deploy_rs.world.path("state/profiles/system").string(),
                       "--set", two}); // somebody else's: left alone
  CHECK(exit_status(deploy_rs.revoke()) == 1);
  CHECK(deploy_rs.world.system() == two);
}

TEST_CASE("activate-rs: nothing is taken back by what a state directory says that is not ours") {
  if (left_out()) {
    return;
  }
  DeployRs deploy_rs;
  const auto one = deploy_rs.generation("one"), two = deploy_rs.generation("two");
  deploy_rs.deploy(one);
  deploy_rs.deploy(two);
  const auto state = deploy_rs.world.state_directory();
  std::string complaint;
  SECTION("a link to one") {
    fs::rename(state, deploy_rs.world.path("elsewhere"));
    fs::create_directory_symlink(deploy_rs.world.path("elsewhere"), state);
    complaint = "is not a folder that can be trusted";
  }
  SECTION("somebody else's") {
    if (geteuid() != 0) {
      return;
    }
    REQUIRE(chown(state.c_str(), 65534, 65534) == 0);
    complaint = "belongs to user 65534";
  }
  const auto result = deploy_rs.revoke();
  CHECK(exit_status(result) == 1);
  CHECK(result.err.find(complaint) != std::string::npos);
  CHECK(deploy_rs.world.system() == two);
  CHECK(deploy_rs.ran() == "one:0:0 two:0:0");
}

TEST_CASE("activate-rs: what stands at the canary's place already") {
  if (left_out()) {
    return;
  }
  DeployRs deploy_rs;
  const auto one = deploy_rs.generation("one");
  const auto canary = deploy_rs.canary(one);
  SECTION("a stale one is not what wait waits for, and is taken away") {
    std::ofstream(canary) << "";
    CHECK(exit_status(deploy_rs.wait(one, 1)) == 1);
    deploy_rs.deploy(one);
  }
  SECTION("one of a transaction that is over is stale, too") {
    deploy_rs.deploy(one);
    for (const auto& entry : fs::directory_iterator(deploy_rs.world.state_directory())) {
      if (entry.is_directory()) {
        std::ofstream(canary) << entry.path().filename().string() << "\n";
      }
    }
    CHECK(exit_status(deploy_rs.wait(one, 1)) == 1);
  }
  SECTION("a link is not followed") {
    const auto victim = deploy_rs.world.path("victim");
    std::ofstream(victim) << "as it was";
    fs::create_symlink(victim, canary);
    CHECK(exit_status(deploy_rs.wait(one, 1)) == 1);
    deploy_rs.deploy(one);
    CHECK(belay::read_file(victim, 100) == "as it was");
  }
  SECTION("what is planted while the script runs confirms nothing and is not written to") {
    const auto victim = deploy_rs.world.path("victim");
    std::ofstream(victim) << "as it was";
    deploy_rs.deploy(one);
    const auto place = deploy_rs.world.path("place").string();
    const auto two =
        deploy_rs.generation("two", "ln -s " + victim.string() + " \"$(cat " + place + ")\"");
    std::ofstream(place) << deploy_rs.canary(two).string();
    CHECK(exit_status(deploy_rs.activate(two, "--magic-rollback").get()) == 1);
    CHECK(deploy_rs.world.system() == one);
    CHECK(belay::read_file(victim, 100) == "as it was");
  }
  SECTION("a folder: refused before anything is changed") {
    fs::create_directory(canary);
    CHECK(exit_status(deploy_rs.activate(one, "--magic-rollback").get()) == 1);
    CHECK(deploy_rs.world.system().empty());
    CHECK(deploy_rs.ran().empty());
    fs::remove(canary);
    deploy_rs.deploy(one); // and the target is free
  }
  SECTION("another user's file: refused, because somebody may wait for it") {
    if (geteuid() != 0) {
      return;
    }
    std::ofstream(canary) << "";
    REQUIRE(chown(canary.c_str(), 65534, 65534) == 0);
    CHECK(exit_status(deploy_rs.wait(one, 1)) == 1);
    const auto result = deploy_rs.activate(one, "--magic-rollback").get();
    CHECK(exit_status(result) == 1);
    CHECK(result.err.find("65534") != std::string::npos);
    CHECK(deploy_rs.ran().empty());
    CHECK(fs::exists(canary));
  }
  SECTION("no folder at all: activate makes it, wait waits for it") {
    fs::remove(deploy_rs.temp());
    auto waiting = std::async(std::launch::async, [&] { return deploy_rs.wait(one); });
    auto activating = deploy_rs.activate(one, "--magic-rollback");
    CHECK(exit_status(waiting.get()) == 0);
    fs::remove(canary);
    CHECK(exit_status(activating.get()) == 0);
  }
}

TEST_CASE("activate-rs: a copy by that name is a whole agent") {
  if (left_out()) {
    return;
  }
  DeployRs deploy_rs; // its keeper is the same program
  fs::remove(deploy_rs.world.path("activate-rs"));
  fs::copy_file(agent_program(), deploy_rs.world.path("activate-rs"));
  deploy_rs.deploy(deploy_rs.generation("one"));
  CHECK(deploy_rs.call("--version").out.starts_with("belay-agent "));
  CHECK(exit_status(deploy_rs.call("unknown")) == 1);
  CHECK(exit_status(deploy_rs.call("")) == 1);
}

TEST_CASE("activate-rs: a host that another deploy holds") {
  if (left_out()) {
    return;
  }
  DeployRs deploy_rs;
  const auto one = deploy_rs.generation("one"), two = deploy_rs.generation("two");
  auto first = deploy_rs.activate(one, "--magic-rollback");
  REQUIRE(deploy_rs.wait(one).succeeded());
  const auto second = deploy_rs.activate(two, "--magic-rollback").get();
  CHECK(exit_status(second) == 1);
  CHECK(second.err.find("held by run deploy-rs") != std::string::npos);
  CHECK(deploy_rs.ran() == "one:0:0");
  fs::remove(deploy_rs.canary(one));
  CHECK(exit_status(first.get()) == 0);
}
