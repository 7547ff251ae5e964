// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/key_exchange.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/ssh/wire.h"

#include <algorithm>
#include <vector>

namespace belay::ssh {
namespace {

using Names = std::vector<std::string>;

constexpr std::uint8_t kexinit = 20;

// The four lists that have to meet ours, of the server's KEXINIT.
struct ServerMethods {
  Names key_exchanges;
  Names host_keys;
  Names ciphers;
  Names macs;
};

Names read_names(WireReader& reader) {
  return split(reader.string(), ',');
}

ServerMethods read_kexinit(const std::string& greeting) {
  const auto version = greeting.find("SSH-");
  const auto line_end = version == std::string::npos ? version : greeting.find('\n', version);
  if (line_end == std::string::npos)
    throw Error(ErrorKind::protocol, "no version line");
  WireReader reader(std::string_view(greeting).substr(line_end + 1));
  reader.number(); // the packet's length
  reader.byte();   // its padding's
  if (reader.byte() != kexinit)
    throw Error(ErrorKind::protocol, "no KEXINIT");
  for (int cookie = 0; cookie < 16; ++cookie)
    reader.byte();
  ServerMethods methods;
  methods.key_exchanges = read_names(reader);
  methods.host_keys = read_names(reader);
  methods.ciphers = read_names(reader);
  read_names(reader); // ciphers of the other direction
  methods.macs = read_names(reader);
  return methods;
}

Names ours(LIBSSH2_SESSION* session, int kind) {
  const char** list = nullptr;
  const int count = libssh2_session_supported_algs(session, kind, &list);
  Names names;
  for (int i = 0; i < count; ++i)
    names.emplace_back(list[i]);
  if (count > 0)
    libssh2_free(session, list);
  return names;
}

// The first of ours that the server takes; empty where there is none.
std::string common(const Names& our_names, const Names& theirs) {
  const auto found = std::ranges::find_if(our_names, [&](const std::string& name) {
    return std::ranges::find(theirs, name) != theirs.end();
  });
  return found == our_names.end() ? "" : *found;
}

std::string say(const char* what, const Names& theirs) {
  return std::string("no common ") + what + ": the server takes only " +
         one_line(join(theirs, ", "));
}

} // namespace

std::string missing_method(LIBSSH2_SESSION* session, const std::string& greeting,
                           const std::string& host_keys) {
  try {
    const auto theirs = read_kexinit(greeting);
    if (common(ours(session, LIBSSH2_METHOD_KEX), theirs.key_exchanges).empty())
      return say("key exchange method", theirs.key_exchanges);
    if (common(split(host_keys, ','), theirs.host_keys).empty())
      return say("host key type", theirs.host_keys);
    const auto cipher = common(ours(session, LIBSSH2_METHOD_CRYPT_CS), theirs.ciphers);
    if (cipher.empty())
      return say("cipher", theirs.ciphers);
    if (common(ours(session, LIBSSH2_METHOD_MAC_CS), theirs.macs).empty())
      return say("MAC", theirs.macs);
  } catch (const Error&) {
    // What cannot be read cannot be explained.
  }
  return "";
}

} // namespace belay::ssh
