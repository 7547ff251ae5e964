// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/identity_file.h"

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/text.h"
#include "engine/ssh/base64.h"
#include "engine/ssh/wire.h"

#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace belay::ssh {
namespace {

constexpr std::size_t key_cap = 64 * 1024;
constexpr std::string_view openssh_begin = "-----BEGIN OPENSSH PRIVATE KEY-----";
constexpr std::string_view openssh_end = "-----END OPENSSH PRIVATE KEY-----";
constexpr std::string_view openssh_magic{"openssh-key-v1\0", 15};

std::string blob_of_public_line(const std::string& text) {
  const auto words = split_white_space(text);
  return words.size() >= 2 ? base64_decode(words[1]).value_or("") : "";
}

std::string public_blob_beside(const std::string& path) {
  try {
    return blob_of_public_line(read_file(path, key_cap));
  } catch (const Error&) {
    return "";
  }
}

// PROTOCOL.key: magic, cipher, kdf, kdf options, number of keys, public key; all in clear.
void read_openssh_key(const std::string& text, IdentityFile& file) {
  const auto begin = text.find(openssh_begin) + openssh_begin.size();
  const auto end = text.find(openssh_end);
  if (end == std::string::npos)
    return;
  std::string base64;
  for (const char c : text.substr(begin, end - begin))
    if (!std::isspace(static_cast<unsigned char>(c)))
      base64 += c;
  const auto bytes = base64_decode(base64).value_or("");
  if (!bytes.starts_with(openssh_magic))
    return;
  WireReader reader(std::string_view(bytes).substr(openssh_magic.size()));
  if (reader.string() != "none")
    file.state = IdentityFile::State::encrypted;
  reader.string();
  reader.string();
  reader.number();
  file.public_blob = reader.string();
}

void read_private_key(IdentityFile& file) {
  const auto text = read_file(file.path, key_cap);
  file.state = IdentityFile::State::usable;
  if (text.find(openssh_begin) != std::string::npos)
    read_openssh_key(text, file);
  else if (text.find("-----BEGIN ENCRYPTED") != std::string::npos ||
           text.find("Proc-Type: 4,ENCRYPTED") != std::string::npos)
    file.state = IdentityFile::State::encrypted;
  else if (text.find("PRIVATE KEY-----") == std::string::npos) {
    file.public_blob = blob_of_public_line(text); // IdentityFile may name the public half
    file.state = file.public_blob.empty() ? IdentityFile::State::unreadable
                                          : IdentityFile::State::public_only;
  }
}

} // namespace

IdentityFile inspect_identity_file(const std::string& path) {
  IdentityFile file;
  file.path = path;
  file.has_certificate = access((path + "-cert.pub").c_str(), R_OK) == 0;
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    file.public_blob = public_blob_beside(path + ".pub");
    if (!file.public_blob.empty())
      file.state = IdentityFile::State::public_only;
    return file;
  }
  try {
    read_private_key(file);
  } catch (const Error&) {
    file.state = IdentityFile::State::unreadable;
  }
  if (file.public_blob.empty())
    file.public_blob = public_blob_beside(path + ".pub");
  const bool is_private =
      file.state == IdentityFile::State::usable || file.state == IdentityFile::State::encrypted;
  if (is_private && status.st_uid == getuid() && (status.st_mode & 077) != 0)
    file.state = IdentityFile::State::too_open;
  return file;
}

std::string describe_unusable(IdentityFile::State state) {
  switch (state) {
  case IdentityFile::State::encrypted:
    return "encrypted: load it into ssh-agent";
  case IdentityFile::State::too_open:
    return "readable by others: chmod 600";
  case IdentityFile::State::unreadable:
    return "not readable as a private key";
  default:
    return "";
  }
}

std::vector<std::string> unusable_identities(const std::vector<std::string>& paths) {
  std::vector<std::string> found;
  for (const auto& path : paths)
    if (const auto why = describe_unusable(inspect_identity_file(path).state); !why.empty())
      found.push_back(path + " (" + why + ")");
  return found;
}

} // namespace belay::ssh
