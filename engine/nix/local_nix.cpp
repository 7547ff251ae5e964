// SPDX-License-Identifier: Apache-2.0
#include "engine/nix/local_nix.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/nix/command.h"
#include "engine/nix/validity.h"

#include <cctype>

namespace belay::nix {

LocalNix::LocalNix(ProcessRunner& runner) : runner_(runner), roots_(runner) {}

std::string parse_version(std::string_view text) {
  const auto words = split_white_space(split(trim(text), '\n').front());
  if (words.size() < 2 || words.front() != "nix" ||
      std::isdigit(static_cast<unsigned char>(words.back().front())) == 0) {
    throw Error(ErrorKind::system, "`nix --version` says \"" + one_line(tail(text, 200)) +
                                       "\", which is no version of Nix");
  }
  return words.back();
}

std::string LocalNix::version(const Wait& wait) {
  ProcessResult result;
  try {
    result = runner_.run(nix_process({"nix", "--version"}), wait);
  } catch (const Error& error) {
    throw Error(ErrorKind::system,
                "there is no Nix on this machine (" + error.message() +
                    "): install Nix 2.8 or later (Debian: apt-get install nix-bin; else "
                    "https://nixos.org/download) and see that `nix` is in PATH");
  }
  throw_if_stopped(result, "asking Nix for its version");
  if (!result.succeeded()) {
    throw Error(ErrorKind::system,
                "`nix --version` " + result.describe() + ": " + readable_error(result.err));
  }
  return parse_version(result.out);
}

std::vector<bool> LocalNix::valid(const std::vector<StorePath>& paths, const Wait& wait) {
  return valid_paths(runner_, paths, wait);
}

std::optional<bool> LocalNix::has_program(const StorePath& path,
                                          const std::vector<std::string>& names) const {
  return has_program_below(path, names);
}

void LocalNix::root(const std::vector<StorePath>& paths, const Wait& wait) {
  roots_.add(paths, wait);
}

void LocalNix::keep(const StorePath& path, const std::filesystem::path& link, const Wait& wait) {
  const std::string what = "keeping " + path.string() + " by " + link.string();
  std::error_code failed;
  std::filesystem::create_directories(link.parent_path(), failed);
  if (failed) {
    throw Error(ErrorKind::system, what + ": " + failed.message());
  }
  // Nix puts the link in place by a rename, and refuses what is no link into the store.
  run_query(runner_,
            nix_process({"nix-store", "--realise", path.string(), "--add-root", link.string()}),
            wait, what);
}

StorePath LocalNix::add_file(const std::filesystem::path& file, const Wait& wait) {
  // Held all the while: who asks for the same file at the same time waits for the one addition.
  const std::lock_guard lock(added_mutex_);
  if (const auto known = added_.find(file); known != added_.end()) {
    return known->second;
  }
  const std::string out =
      run_query(runner_, nix_process({"nix-store", "--add", std::filesystem::absolute(file)}), wait,
                "adding " + file.string() + " to the store");
  const auto path = StorePath::parse(trim(out));
  if (!path) {
    throw Error(ErrorKind::system, "`nix-store --add` answered \"" + one_line(out) + "\"");
  }
  roots_.add(std::span(&*path, 1), wait);
  added_.emplace(file, *path);
  return *path;
}

} // namespace belay::nix
