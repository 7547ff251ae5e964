// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/agent/agent_process.h"

#include "engine/agent/process_tree.h"
#include "engine/agent/profile_store.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "tests/catch.h"

#include <array>
#include <csignal>
#include <fstream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace belay::agent::test {

namespace fs = std::filesystem;

namespace {
constexpr std::chrono::seconds patience{60};

void write_script(const fs::path& path, const std::string& text) {
  std::ofstream(path) << "#!/bin/sh\n" << text << "\n";
  chmod(path.c_str(), 0755);
}

} // namespace

std::string agent_program() {
  return std::string(BELAY_BINARY_DIR) + "/bin/belay-agent";
}

std::string faulty_agent_program() {
  return agent_program() + "-faults";
}

NixWorld::NixWorld() {
  for (const char* name : {"store", "state", "log", "etc", "home"}) {
    fs::create_directories(path(name));
  }
  run({"nix-store", "--init"});
}

NixWorld::~NixWorld() {
  // Whatever a test has left: all that runs in this world carries its folder in its environment.
  for (auto left = processes(); !left.empty(); left = processes()) {
    for (const auto pid : left) {
      ::kill(pid, SIGKILL);
    }
  }
  run({"chmod", "-R", "u+w", path("store").string()}); // for users other than root
}

bool left_out() {
  if (NixWorld::has_nix()) {
    return false;
  }
  WARN("there is no nix-store here: left out");
  return true;
}

bool NixWorld::has_nix() {
  PosixProcessRunner processes;
  try {
    return processes.run({.argv = {"nix-store", "--version"}}, Wait::at_most(patience)).succeeded();
  } catch (const Error&) {
    return false;
  }
}

std::vector<std::string> NixWorld::environment() const {
  return {"NIX_STORE_DIR=" + path("store").string(),
          "NIX_STATE_DIR=" + path("state").string(),
          "NIX_LOG_DIR=" + path("log").string(),
          "NIX_CONF_DIR=" + path("etc").string(),
          "NIX_REMOTE=",
          "NIX_CONFIG=sandbox = false\nsubstituters =\nbuild-users-group =",
          "XDG_STATE_HOME=" + path("state").string(),
          "HOME=" + path("home").string(),
          "BELAY_FAULT_FILE=" + path("fault").string(),
          "BELAY_FAULT_TRACE=" + path("trace").string()};
}

ProcessResult NixWorld::run(std::vector<std::string> argv) const {
  std::vector<std::string> words = {"env"};
  for (auto& assignment : environment()) {
    words.push_back(std::move(assignment));
  }
  words.insert(words.end(), argv.begin(), argv.end());
  PosixProcessRunner processes;
  return processes.run({.argv = words}, Wait::at_most(patience));
}

std::string NixWorld::generation(const std::string& name, const std::string& script,
                                 const std::string& switch_script) const {
  const auto folder = path("source") / name;
  fs::create_directories(folder);
  write_script(folder / "deploy-rs-activate", script);
  if (!switch_script.empty()) {
    fs::create_directories(folder / "bin");
    write_script(folder / "bin/switch-to-configuration", switch_script);
  }
  const auto result = run({"nix-store", "--add", folder.string()});
  if (!result.succeeded()) {
    throw Error(ErrorKind::internal, "nix-store --add: " + result.err);
  }
  return std::string(trim(result.out));
}

std::string NixWorld::system() const {
  return read_profile(path("state/profiles/system")).generation.path;
}

std::vector<pid_t> NixWorld::processes() const {
  std::vector<pid_t> pids;
  for (const auto& process : list_processes()) {
    if (!process.dead &&
        environment_value(process.pid, "NIX_STATE_DIR") == path("state").string()) {
      pids.push_back(process.pid);
    }
  }
  return pids;
}

std::vector<pid_t> NixWorld::keepers(const std::string& transaction) const {
  std::vector<pid_t> pids;
  for (const auto& process : list_processes()) {
    std::ifstream file("/proc/" + std::to_string(process.pid) + "/cmdline");
    const std::string words((std::istreambuf_iterator<char>(file)), {});
    if (!process.dead && words.find(transaction) != std::string::npos &&
        words.find("belay-agent") != std::string::npos) {
      pids.push_back(process.pid);
    }
  }
  return pids;
}

void NixWorld::kill_keepers(const std::string& transaction) const {
  for (auto pids = keepers(transaction); !pids.empty(); pids = keepers(transaction)) {
    for (const auto pid : pids) {
      ::kill(pid, SIGKILL);
    }
  }
}

Conversation::Conversation(const NixWorld& world, const std::string& program) {
  auto [in_read, in_write] = make_pipe();
  auto [out_read, out_write] = make_pipe();
  std::vector<std::string> words = {"env"};
  for (auto& assignment : world.environment()) {
    words.push_back(std::move(assignment));
  }
  words.insert(words.end(), {program, "serve"});
  std::vector<char*> argv;
  for (auto& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    dup2(in_read.get(), STDIN_FILENO);
    dup2(out_write.get(), STDOUT_FILENO);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  in_ = std::move(in_write);
  out_ = std::move(out_read);
  hello_ = std::get<Hello>(read());
}

Conversation::~Conversation() {
  if (pid_ > 0) {
    kill();
  }
}

Message Conversation::read() {
  for (;;) {
    if (const auto end = buffer_.find('\n'); end != std::string::npos) {
      auto message = decode_message(std::string_view(buffer_).substr(0, end));
      buffer_.erase(0, end + 1);
      if (const auto* lines = std::get_if<ScriptOutput>(&message)) {
        for (auto& line : split(lines->text, '\n')) {
          output.push_back(std::move(line));
        }
      }
      return message;
    }
    require_readable(out_.get(), Wait::at_most(patience), "reading from the agent");
    std::array<char, 4096> chunk{};
    const auto count = ::read(out_.get(), chunk.data(), chunk.size());
    if (count <= 0) {
      throw Error(ErrorKind::protocol, "the agent has gone");
    }
    buffer_.append(chunk.data(), static_cast<std::size_t>(count));
  }
}

Message Conversation::next() {
  if (pending_.empty()) {
    return read();
  }
  auto message = std::move(pending_.front());
  pending_.pop_front();
  return message;
}

ReplyBody Conversation::ask(const RequestBody& body) {
  write_all(in_.get(), encode(Request{++last_id_, body}));
  for (;;) {
    auto message = read();
    if (auto* reply = std::get_if<Reply>(&message); reply != nullptr && reply->id == last_id_) {
      return std::move(reply->body);
    }
    pending_.push_back(std::move(message));
  }
}

ProfileStatus Conversation::until(State state, const std::string& profile) {
  const auto wait = Wait::at_most(patience);
  std::string seen;
  while (!wait.expired()) {
    const auto message = next();
    const auto* changed = std::get_if<StatusChanged>(&message);
    if (changed != nullptr && changed->profile.name == profile) {
      if (changed->profile.state == state) {
        return changed->profile;
      }
      seen += std::string(name_of(changed->profile.state)) + " (" + changed->profile.message + ") ";
    }
  }
  throw Error(ErrorKind::deadline_exceeded,
              "never told " + std::string(name_of(state)) + ", but " + seen);
}

void Conversation::kill() {
  ::kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

int Conversation::close() {
  in_.reset();
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

} // namespace belay::agent::test
