// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/ssh_options.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <string_view>

namespace belay::ssh {
namespace {

constexpr std::string_view with_value = "bBcDeEFIiJLlmOoPpQRSwW"; // of ssh(1)
// Address, algorithms, configuration, GSSAPI, identity, jump host, login, port, options.
constexpr std::string_view about_connection = "46bBcCFIiJKklmopP";

bool is_in(std::string_view letters, char letter) {
  return letters.find(letter) != std::string_view::npos;
}

} // namespace

std::vector<SshOption> parse_ssh_options(const std::vector<std::string>& words) {
  std::vector<SshOption> options;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto& word = words[i];
    if (word.size() < 2 || word[0] != '-' || word == "--")
      throw Error(ErrorKind::invalid_plan,
                  "sshOpts: '" + one_line(word) + "' is no option; ssh would take it for the host");
    for (std::size_t at = 1; at < word.size(); ++at) {
      if (!is_in(with_value, word[at])) {
        options.push_back({word[at], ""});
        continue;
      }
      if (at + 1 == word.size() && i + 1 == words.size())
        throw Error(ErrorKind::invalid_plan, "sshOpts: '" + one_line(word) + "' needs a value");
      options.push_back({word[at], at + 1 < word.size() ? word.substr(at + 1) : words[++i]});
      break;
    }
  }
  return options;
}

std::vector<std::string> connection_options(const std::vector<SshOption>& options,
                                            KeepProxy keep_proxy) {
  std::vector<std::string> words;
  for (const auto& [letter, value] : options) {
    if (!is_in(about_connection, letter) || (letter == 'J' && keep_proxy == KeepProxy::no))
      continue;
    words.push_back(std::string("-") + letter);
    if (is_in(with_value, letter))
      words.push_back(value);
  }
  return words;
}

std::vector<std::string> hop_options(const std::vector<SshOption>& options) {
  std::vector<std::string> words;
  for (const auto& [letter, value] : options)
    if (letter == 'F')
      words = {"-F", value}; // the last one counts
  return words;
}

} // namespace belay::ssh
