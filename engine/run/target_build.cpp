// SPDX-License-Identifier: Apache-2.0
#include "engine/run/target_build.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/event/event_json.h"
#include "engine/event/streams.h"
#include "engine/run/build_report.h"
#include "engine/run/build_watch.h"
#include "engine/run/remote_output.h"

#include <charconv>

namespace belay::run {

using event::Stage;

namespace {

constexpr Duration build_limit = std::chrono::hours(24); // a CI job has a limit of its own
constexpr Duration question_limit = std::chrono::seconds(60);

/// These lines, no more: among the others are secrets (access-tokens).
constexpr const char* capacity_command =
    "sh -c 'PATH=$PATH:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin:"
    "$HOME/.nix-profile/bin; nix --extra-experimental-features nix-command show-config 2>/dev/null "
    "| grep -E \"^(max-jobs|cores|max-silent-time|substitute|fallback|keep-failed|system"
    "|extra-platforms|builders) = \"; "
    "test ! -s /etc/nix/machines || echo machines = /etc/nix/machines'";

/// Nix's default, a file that mostly is not there.
constexpr std::string_view usual_builders = "@/etc/nix/machines";

void read_number(const std::string& word, unsigned& number) {
  std::from_chars(word.data(), word.data() + word.size(), number);
}

/// Settings of one word each. False for what is none of them.
bool read_setting(const std::string& key, const std::string& word, nix::BuildCapacity& capacity) {
  const bool on = word == "true";
  if (key == "max-jobs") {
    read_number(word, capacity.jobs);
  } else if (key == "cores") {
    read_number(word, capacity.cores);
  } else if (key == "max-silent-time") {
    unsigned seconds = 0;
    read_number(word, seconds);
    capacity.silence = std::chrono::seconds(seconds);
  } else if (key == "substitute") {
    capacity.substitute = on;
  } else if (key == "fallback") {
    capacity.fallback = on;
  } else if (key == "keep-failed") {
    capacity.keep_failed = on;
  } else {
    return false;
  }
  return true;
}

class TargetBuild {
public:
  TargetBuild(const TargetBuilder& builder, const plan::Profile& profile, const StoreAccess& access)
      : builder_(builder), profile_(profile),
        access_(access), request_{{*profile.derivation, profile.path}, {}, {}} {}

  void run() {
    event::StageFinished done;
    done.attempts = builder_.work.run(access_, [this](ssh::StoreTunnel& tunnel) {
      request_.store_uri = tunnel.store_uri();
      BuildWatch watch(
          [this](const std::string& text) { builder_.stages.log(event::streams::progress, text); });
      outcome_ = builder_.store.build_there(
          request_,
          [&](const nix::Progress& said) {
            watch.take(said);
            log(said);
          },
          Wait::at_most(build_limit, builder_.cancel));
      return outcome_.sources.process;
    });
    conclude(std::move(done));
  }

  /// Before the first attempt, while the connection has no tunnel.
  void ask_capacity() {
    const auto said = output_of(*access_.connection.session, capacity_command,
                                Wait::at_most(question_limit, builder_.cancel));
    request_.capacity = capacity_from(said.text);
  }

private:
  void log(const nix::Progress& said) {
    if (said.kind == nix::Progress::Kind::log) {
      builder_.stages.log("build", said.text);
    }
  }

  void conclude(event::StageFinished done) {
    const auto& result = outcome_.result;
    auto built = build_finished(request_.goal, result);
    built.built_on = builder_.node.name;
    builder_.stages.tell(built, result.valid ? event::Level::info : event::Level::error);
    if (!result.valid) {
      builder_.stages.log("build", result.error, event::Level::error);
      throw Error(ErrorKind::build_failed,
                  "on " + builder_.node.hostname + ": " + first_line_of(result.error));
    }
    done.changed = !result.cached;
    done.details["built_on"] = builder_.node.hostname;
    builder_.stages.finish(profile_, Stage::build, std::move(done));
  }

  const TargetBuilder& builder_;
  const plan::Profile& profile_;
  const StoreAccess& access_;
  nix::TargetBuildRequest request_;
  nix::TargetBuildOutcome outcome_;
};

} // namespace

nix::BuildCapacity capacity_from(const std::string& settings) {
  nix::BuildCapacity capacity;
  bool others_build = false;
  for (const auto& line : split(settings, '\n')) {
    const auto words = split_white_space(line);
    if (words.size() < 3 || words[1] != "=") {
      continue;
    }
    const auto& key = words[0];
    if (read_setting(key, words[2], capacity)) {
      continue;
    }
    if (key == "system" || key == "extra-platforms") {
      capacity.systems.insert(capacity.systems.end(), words.begin() + 2, words.end());
    } else if (key == "machines" || (key == "builders" && words[2] != usual_builders)) {
      others_build = true;
    }
  }
  if (others_build) { // for whatever systems those are
    capacity.systems.clear();
  }
  return capacity;
}

void build_on_target(const TargetBuilder& builder, const plan::Profile& profile,
                     const StoreAccess& access) {
  if (!profile.derivation) {
    throw Error(ErrorKind::invalid_plan,
                "profile " + profile.name + " is to be built on its target, without a derivation");
  }
  TargetBuild build(builder, profile, access);
  build.ask_capacity();
  build.run();
}

} // namespace belay::run
