// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/authentication.h"

#include "engine/base/text.h"
#include "engine/ssh/connect_failure.h"
#include "engine/ssh/host_key.h"
#include "engine/ssh/identity_file.h"
#include "engine/ssh/ssh_agent.h"
#include "engine/ssh/wire.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <vector>

namespace belay::ssh {
namespace {

// libssh2 hands this back to agent_signature().
struct AgentSigner {
  SshAgent& agent;
  const std::string& blob;
  const Wait& wait;
  std::optional<Error> error; ///< may not be thrown through C
};

// session id, message number, user, service, "publickey", true, algorithm (RFC 4252, section 7)
std::string algorithm_in(std::string_view data) {
  WireReader reader(data);
  reader.string();
  reader.byte();
  reader.string();
  reader.string();
  reader.string();
  reader.byte();
  return std::string(reader.string());
}

int agent_signature(LIBSSH2_SESSION*, unsigned char** signature, size_t* size,
                    const unsigned char* data, size_t data_size, void** signer_slot) {
  auto& signer = *static_cast<AgentSigner*>(*signer_slot);
  try {
    const std::string_view text(reinterpret_cast<const char*>(data), data_size);
    const auto bytes = signer.agent.sign(signer.blob, text, algorithm_in(text), signer.wait);
    *signature = static_cast<unsigned char*>(std::malloc(bytes.size())); // libssh2 frees it
    if (!*signature)
      return LIBSSH2_ERROR_ALLOC;
    std::memcpy(*signature, bytes.data(), bytes.size());
    *size = bytes.size();
    return 0;
  } catch (const Error& error) {
    signer.error = error;
    return LIBSSH2_ERROR_AGENT_PROTOCOL;
  }
}

class Login {
public:
  Login(Connection& connection, const ResolvedHost& host, const Wait& wait)
      : connection_(connection), host_(host), wait_(wait) {
    for (const auto& path : host.identity_files)
      files_.push_back(inspect_identity_file(path));
  }

  void run() {
    if (ask_for_methods())
      return; // "none" was enough
    open_agent();
    if (try_agent_keys() || try_files())
      return;
    give_up();
  }

private:
  bool ask_for_methods() {
    const auto user_size = static_cast<unsigned>(host_.user.size());
    connection_.call(
        [&] {
          const char* list =
              libssh2_userauth_list(connection_.raw(), host_.user.c_str(), user_size);
          if (list)
            methods_ = list;
          return list ? 0 : connection_.last_code();
        },
        wait_, "asking how to log in");
    return libssh2_userauth_authenticated(connection_.raw()) == 1;
  }

  void open_agent() {
    if (host_.agent_socket.empty())
      return;
    try {
      agent_.emplace(host_.agent_socket);
      agent_keys_ = agent_->keys(wait_);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::secret && error.kind() != ErrorKind::protocol)
        throw;
      unusable_.push_back(error.message());
      agent_.reset();
      agent_keys_.clear();
    }
  }

  // The position of the identity file with that key; files_.size() for none.
  std::size_t file_of(const AgentKey& key) const {
    const auto file = std::ranges::find(files_, key.blob, &IdentityFile::public_blob);
    return static_cast<std::size_t>(file - files_.begin());
  }

  bool try_agent_keys() {
    std::ranges::stable_sort(agent_keys_, {}, [&](const AgentKey& key) { return file_of(key); });
    for (const auto& key : agent_keys_) {
      if (file_of(key) == files_.size() && host_.identities_only)
        continue;
      tried_.push_back("agent key " + type_of_blob(key.blob) + " " + one_line(key.comment));
      if (try_agent_key(key))
        return true;
    }
    return false;
  }

  bool try_agent_key(const AgentKey& key) {
    AgentSigner signer{*agent_, key.blob, wait_, std::nullopt};
    void* slot = &signer;
    const int code = attempt([&] {
      return libssh2_userauth_publickey(connection_.raw(), host_.user.c_str(),
                                        reinterpret_cast<const unsigned char*>(key.blob.data()),
                                        key.blob.size(), &agent_signature, &slot);
    });
    if (signer.error) {
      if (signer.error->kind() == ErrorKind::cancelled ||
          signer.error->kind() == ErrorKind::deadline_exceeded)
        throw *signer.error;
      unusable_.push_back(tried_.back() + " (" + signer.error->message() + ")");
    }
    return code == 0;
  }

  bool try_files() {
    for (const auto& file : files_) {
      const bool tried_with_agent =
          !file.public_blob.empty() &&
          std::ranges::find(agent_keys_, file.public_blob, &AgentKey::blob) != agent_keys_.end();
      if (tried_with_agent)
        continue;
      if (file.state != IdentityFile::State::usable) {
        if (const auto why = describe_unusable(file.state); !why.empty())
          unusable_.push_back(file.path + " (" + why + ")");
        continue;
      }
      tried_.push_back(file.path);
      if (try_file(file))
        return true;
    }
    return false;
  }

  bool try_file(const IdentityFile& file) {
    // The empty passphrase matters: without one, OpenSSL would ask at the terminal.
    const int code = attempt([&] {
      return libssh2_userauth_publickey_fromfile_ex(connection_.raw(), host_.user.c_str(),
                                                    static_cast<unsigned>(host_.user.size()),
                                                    nullptr, file.path.c_str(), "");
    });
    if (code != 0 && code != LIBSSH2_ERROR_AUTHENTICATION_FAILED &&
        code != LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED)
      unusable_.push_back(file.path + " (" + connection_.last_message() + ")");
    return code == 0;
  }

  template <class Step> int attempt(Step step) {
    try {
      return connection_.call(step, wait_, "logging in");
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::unreachable || tried_.size() < 2)
        throw;
      // sshd hangs up after MaxAuthTries, by default 6.
      throw Error(ErrorKind::authentication_failed,
                  "the server hung up after " + tried() +
                      "; with many keys, set IdentitiesOnly=yes and name the right one");
    }
  }

  std::string tried() const { return tried_.empty() ? "no key at all" : join(tried_, ", "); }

  /// Whether a login that ssh_config names by its key would have a chance: Debian's default
  /// configuration has GSSAPIAuthentication on, and hardly any server takes it.
  bool server_offers(const std::string& key) const {
    const auto method = key == "gssapiauthentication" ? "gssapi-with-mic" : "hostbased";
    return methods_.find(method) != std::string::npos;
  }

  static bool only_ssh_has(const std::string& blob) {
    const auto type = type_of_blob(blob);
    return type.starts_with("sk-") || type.ends_with("-cert-v01@openssh.com");
  }

  [[noreturn]] void give_up() const {
    std::string text = "login as " + host_.user + " refused; tried " + tried();
    if (!unusable_.empty())
      text += "; not usable: " + join(unusable_, ", ");
    if (std::ranges::any_of(files_, &IdentityFile::has_certificate))
      throw Error(ErrorKind::transport_unsupported,
                  text + "; a certificate (-cert.pub) lies beside a key, and only the ssh program "
                         "uses those");
    if (std::ranges::any_of(agent_keys_, [](const auto& key) { return only_ssh_has(key.blob); }) ||
        std::ranges::any_of(files_, [](const auto& f) { return only_ssh_has(f.public_blob); }))
      throw Error(ErrorKind::transport_unsupported,
                  text + "; one of the keys is a certificate or in hardware, and only the ssh "
                         "program uses those");
    for (const auto& method : host_.other_logins)
      if (server_offers(method))
        throw Error(ErrorKind::transport_unsupported,
                    text + "; " + method + " is configured, and only the ssh program does that");
    if (methods_.find("publickey") == std::string::npos)
      throw Error(ErrorKind::authentication_failed,
                  text + "; the server takes no public keys, only " + methods_);
    throw Error(ErrorKind::authentication_failed,
                text + ". Put one of their public halves into the authorized_keys of " +
                    host_.user + " there, or name another identity or user");
  }

  Connection& connection_;
  const ResolvedHost& host_;
  const Wait& wait_;
  std::vector<IdentityFile> files_;
  std::optional<SshAgent> agent_;
  std::vector<AgentKey> agent_keys_;
  std::vector<std::string> tried_;
  std::vector<std::string> unusable_;
  std::string methods_;
};

} // namespace

void authenticate(Connection& connection, const ResolvedHost& host, const Wait& wait) {
  Login(connection, host, wait).run();
}

} // namespace belay::ssh
