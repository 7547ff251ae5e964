// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/nix/recorded_daemon.h"

#include "engine/base/error.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace belay::nix {

namespace {

/// The worker protocol: little-endian 64-bit numbers, strings padded to 8 bytes.
class Packet {
public:
  explicit Packet(std::string_view bytes) : rest_(bytes) {}

  std::uint64_t number() {
    std::uint64_t value = 0;
    const std::string_view bytes = take(8);
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  std::string string() {
    const std::size_t length = number();
    std::string text(take(length));
    take((8 - length % 8) % 8);
    return text;
  }

private:
  std::string_view take(std::size_t count) {
    if (rest_.size() < count) {
      throw std::runtime_error("the client said less than a SetOptions packet");
    }
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  std::string_view rest_;
};

constexpr std::uint64_t client_magic = 0x6e697863;
constexpr std::uint64_t set_options_operation = 19;

UniqueFd listen_at(const std::string& path) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    throw std::runtime_error("socket path too long: " + path);
  }
  path.copy(address.sun_path, path.size());
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(fd.get(), 4) != 0) {
    throw Error::from_errno(path, errno);
  }
  return fd;
}

/// `env A=b … nix-daemon --stdio` with `fd` as its stdin and stdout.
pid_t start_daemon(int fd, const std::vector<std::string>& environment) {
  std::vector<const char*> argv{"env"};
  for (const auto& setting : environment) {
    argv.push_back(setting.c_str());
  }
  argv.insert(argv.end(), {"nix-daemon", "--stdio", nullptr});
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(fd, STDIN_FILENO);
    dup2(fd, STDOUT_FILENO);
    execvp("env", const_cast<char* const*>(argv.data()));
    _exit(127);
  }
  return pid;
}

/// Hands on what `from` has; false at its end.
bool pump(int from, int to, std::string* record) {
  std::array<char, 65536> buffer{};
  const ssize_t count = read(from, buffer.data(), buffer.size());
  if (count <= 0) {
    shutdown(to, SHUT_WR);
    return false;
  }
  const std::string_view bytes(buffer.data(), static_cast<std::size_t>(count));
  if (record != nullptr) {
    record->append(bytes);
  }
  write_all(to, bytes);
  return true;
}

} // namespace

RecordedDaemon::RecordedDaemon(const std::filesystem::path& folder,
                               const std::string& store_directory)
    : target_(folder / "target"), store_directory_(store_directory),
      socket_path_((socket_folder_.path() / "s").string()), listener_(listen_at(socket_path_)),
      thread_([this] { serve(); }) {}

RecordedDaemon::~RecordedDaemon() {
  stop();
}

void RecordedDaemon::stop() {
  stop_.cancel();
  if (thread_.joinable()) {
    thread_.join();
  }
}

std::vector<std::string> RecordedDaemon::environment_of_target() const {
  return {"NIX_REMOTE=" + direct_uri(), "NIX_STORE_DIR=" + store_directory_,
          "NIX_CONF_DIR=" + target_.string(), "NIX_USER_CONF_FILES=/dev/null",
          "NIX_CONFIG=build-users-group =\nsubstituters ="};
}

void RecordedDaemon::serve() {
  while (wait_readable(listener_.get(), {.cancel = stop_.token()}) == Ready::yes) {
    UniqueFd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    said_.emplace_back();
    join(std::move(client));
  }
}

void RecordedDaemon::join(UniqueFd client) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return;
  }
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  const pid_t daemon = start_daemon(theirs.get(), environment_of_target());
  theirs.reset();
  std::array<pollfd, 2> fds{pollfd{client.get(), POLLIN, 0}, pollfd{ours.get(), POLLIN, 0}};
  while (fds[1].fd >= 0 && poll(fds.data(), fds.size(), -1) > 0) {
    if (fds[0].revents != 0 && !pump(client.get(), ours.get(), &said_.back())) {
      fds[0].fd = -1;
    }
    if (fds[1].revents != 0 && !pump(ours.get(), client.get(), nullptr)) {
      fds[1].fd = -1;
    }
  }
  waitpid(daemon, nullptr, 0);
}

SetOptions RecordedDaemon::set_options(std::size_t connection) const {
  Packet packet(said_.at(connection));
  if (packet.number() != client_magic) {
    throw std::runtime_error("no client of the worker protocol");
  }
  constexpr std::uint64_t features_since = 0x126; // 1.38, as Nix 2.26
  const std::uint64_t version = packet.number();
  for (auto left = version >= features_since ? packet.number() : 0; left > 0; --left) {
    packet.string();
  }
  packet.number(); // CPU affinity, obsolete
  packet.number(); // reserve space, obsolete
  if (packet.number() != set_options_operation) {
    throw std::runtime_error("the first operation is not SetOptions");
  }
  SetOptions options{};
  for (auto* field : {&options.keep_failed, &options.keep_going, &options.fallback,
                      &options.verbosity, &options.max_jobs, &options.max_silent_time}) {
    *field = packet.number();
  }
  for (int obsolete = 0; obsolete < 4; ++obsolete) { // build hook, log verbosity, type, trace
    packet.number();
  }
  options.cores = packet.number();
  options.substitute = packet.number();
  for (auto left = packet.number(); left > 0; --left) {
    const std::string name = packet.string();
    options.overrides[name] = packet.string();
  }
  return options;
}

} // namespace belay::nix
