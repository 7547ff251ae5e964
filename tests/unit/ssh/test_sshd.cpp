// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/ssh/test_sshd.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/ssh/target.h"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <netinet/in.h>
#include <pwd.h>
#include <sstream>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace belay::ssh::test {
namespace {

std::string find_sshd() {
  for (const char* path : {"/usr/sbin/sshd", "/usr/bin/sshd", "/run/current-system/sw/bin/sshd"})
    if (access(path, X_OK) == 0)
      return path;
  throw Error(ErrorKind::system, "these tests need OpenSSH's sshd");
}

std::string user_name() {
  const passwd* entry = getpwuid(getuid());
  return entry ? entry->pw_name : "root";
}

// Its direct children: one a connection.
std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const auto name = entry.path().filename().string();
    std::ifstream status(entry.path() / "stat");
    std::string text;
    if (!std::getline(status, text) || !std::isdigit(static_cast<unsigned char>(name[0])))
      continue;
    const auto fields = split_white_space(text.substr(text.rfind(')') + 1));
    if (fields.size() > 1 && fields[1] == std::to_string(parent))
      children.push_back(std::stoi(name));
  }
  return children;
}

} // namespace

std::string must_run(const std::vector<std::string>& argv) {
  PosixProcessRunner processes;
  ProcessSpec spec;
  spec.argv = argv;
  const auto result = processes.run(spec, Wait::at_most(std::chrono::seconds(60)));
  if (!result.succeeded())
    throw Error(ErrorKind::system, argv[0] + " " + result.describe() + ": " + result.err);
  return result.out;
}

std::pair<UniqueFd, std::uint16_t> listen_anywhere() {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(fd.get(), 16) != 0 ||
      getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw Error::from_errno("listening on 127.0.0.1", errno);
  return {std::move(fd), ntohs(address.sin_port)};
}

TestSshd::TestSshd(Options options)
    : options_(std::move(options)), user_(user_name()), directory_("/tmp/belay-test-sshd.") {
  if (getuid() == 0)
    std::filesystem::create_directories("/run/sshd"); // its privilege separation wants it
  make_key("user", "ed25519");
  authorise(user_key() + ".pub");
  make_host_keys();
  // Somebody else may take the free port in between: then another one.
  for (int tries = 0; tries < 5 && pid_ < 0; ++tries) {
    port_ = listen_anywhere().second;
    start();
  }
  if (pid_ < 0)
    throw Error(ErrorKind::system, "sshd does not start: " + log());
}

TestSshd::~TestSshd() {
  stop();
}

void TestSshd::make_key(const std::string& name, const std::string& type) {
  must_run(
      {"ssh-keygen", "-q", "-t", type, "-N", "", "-C", name, "-f", (directory() / name).string()});
}

void TestSshd::make_host_keys() {
  for (const auto& type : options_.host_key_types) {
    std::filesystem::remove(directory() / ("host_" + type));
    make_key("host_" + type, type);
  }
}

void TestSshd::change_host_keys() {
  stop();
  make_host_keys();
  start();
  if (pid_ < 0)
    throw Error(ErrorKind::system, "sshd does not start again: " + log());
}

void TestSshd::stop_listening() {
  for (const pid_t session : children_of(pid_)) {
    orphans_.push_back(session);
    for (const pid_t command : children_of(session))
      orphans_.push_back(command);
  }
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::string TestSshd::host_key(const std::string& type) const {
  const auto words =
      split_white_space(read_file(directory() / ("host_" + type + ".pub"), 64 * 1024));
  return words.at(0) + " " + words.at(1);
}

void TestSshd::authorise(const std::string& public_key_file) {
  std::ofstream(directory() / "authorized_keys", std::ios::app)
      << read_file(public_key_file, 64 * 1024);
}

void TestSshd::write_configuration() {
  std::string text = "ListenAddress " + options_.address + "\nPort " + std::to_string(port_) +
                     "\nPidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\n"
                     "KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n"
                     "AuthorizedKeysFile " +
                     (directory() / "authorized_keys").string() + "\n";
  for (const auto& type : options_.host_key_types)
    text += "HostKey " + (directory() / ("host_" + type)).string() + "\n";
  for (const auto& line : options_.lines)
    text += line + "\n";
  replace_file(directory() / "sshd_config", text);
}

void TestSshd::start() {
  write_configuration();
  auto [log_end, child_end] = make_pipe();
  const auto program = find_sshd();
  const auto file = (directory() / "sshd_config").string();
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL); // also if the test itself is killed
    dup2(child_end.get(), 1);
    dup2(child_end.get(), 2);
    execl(program.c_str(), program.c_str(), "-D", "-e", "-f", file.c_str(), nullptr);
    _exit(127);
  }
  child_end.reset();
  log_end_ = std::move(log_end);
  log_ended_ = false;
  const auto before = log().size(); // an earlier one said so, too
  reader_ = std::thread([this] { read_log(); });
  if (!wait_for_log("Server listening on", std::chrono::seconds(20), before))
    stop();
}

void TestSshd::read_log() {
  std::array<char, 4096> buffer{};
  for (;;) {
    const auto count = read(log_end_.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR)
      continue;
    const std::lock_guard lock(mutex_);
    if (count > 0)
      log_.append(buffer.data(), static_cast<std::size_t>(count));
    else
      log_ended_ = true;
    changed_.notify_all();
    if (count <= 0)
      return;
  }
}

bool TestSshd::wait_for_log(const std::string& text, Duration limit, std::size_t from) {
  std::unique_lock lock(mutex_);
  const auto said = [&] { return log_.find(text, from) != std::string::npos; };
  changed_.wait_for(lock, limit, [&] { return log_ended_ || said(); });
  return said();
}

std::string TestSshd::log() const {
  const std::lock_guard lock(mutex_);
  return log_;
}

void TestSshd::kill_sessions() {
  for (const pid_t session : children_of(pid_)) {
    const auto commands = children_of(session);
    kill(session, SIGKILL); // first, or it would still tell how its commands ended
    for (const pid_t command : commands)
      kill(command, SIGKILL);
  }
}

void TestSshd::freeze_sessions() {
  for (const pid_t session : children_of(pid_)) {
    kill(session, SIGSTOP);
    for (const pid_t child : children_of(session))
      kill(child, SIGSTOP);
  }
}

void TestSshd::stop() {
  if (pid_ > 0) {
    kill_sessions();
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  for (const pid_t orphan : orphans_)
    kill(orphan, SIGKILL);
  orphans_.clear();
  if (reader_.joinable())
    reader_.join();
}

HostAddress TestSshd::address() const {
  HostAddress address;
  address.name = "web-1";
  address.hostname = host_and_port(options_.address, port_);
  address.user = user_;
  address.ssh_opts = {"-F", "/dev/null",
                      "-i", user_key(),
                      "-o", "IdentityAgent=none",
                      "-o", "UserKnownHostsFile=" + (directory() / "known_hosts").string(),
                      "-o", "GlobalKnownHostsFile=/dev/null"};
  address.host_key = host_key(options_.host_key_types.front());
  return address;
}

bool process_with(const std::string& part) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "cmdline", std::ios::binary);
    std::ostringstream words;
    words
        << file.rdbuf(); // unlike an iterator of it, no exception where the process ends meanwhile
    const auto text = words.str();
    if (entry.path().filename() != std::to_string(getpid()) && text.find(part) != std::string::npos)
      return true;
  }
  return false;
}

bool wait_until_no_process_with(const std::string& part, Duration limit) {
  for (const auto wait = Wait::at_most(limit); !wait.expired();) {
    if (!process_with(part))
      return true;
    std::this_thread::yield();
  }
  return false;
}

std::string read_to_end(Channel& channel) {
  std::string text;
  std::array<char, 64 * 1024> buffer{};
  while (const auto count = channel.read(buffer.data(), buffer.size(), TestTransport::limit()))
    text.append(buffer.data(), count);
  return text;
}

} // namespace belay::ssh::test
