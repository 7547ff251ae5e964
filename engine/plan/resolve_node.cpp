// SPDX-License-Identifier: Apache-2.0
#include "engine/plan/resolve_node.h"

#include "engine/base/file.h"
#include "engine/base/text.h"
#include "engine/plan/text_rules.h"
#include "engine/plan/wording.h"

#include <algorithm>

namespace belay::plan {
namespace {

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class NodeResolver {
public:
  NodeResolver(const ResolveInput& input, const FlakeOutput& flake, const std::string& name,
               const FlakeNode& node, Diagnostics& problems)
      : input_(input), flake_(flake), name_(name), node_(node), problems_(problems) {
    if (input.file) {
      const auto found = input.file->nodes.find(name);
      yaml_ = found == input.file->nodes.end() ? nullptr : &found->second;
    }
  }

  Node resolve() {
    Node result;
    result.name = name_;
    result.flake = flake_.flake;
    result.skip = yaml_ && yaml_->skip.value_or(false);
    result.host_key = yaml_ ? yaml_->host_key : std::nullopt;
    if (!node_.evaluated) {
      result.hostname = host_override().value_or("");
      result.unevaluated_profiles = selected_names();
      result.evaluation_error = evaluation_error();
      return result;
    }
    result.hostname = host_override().value_or(node_.hostname);
    check_host(result.hostname);
    add_profiles(result);
    return result;
  }

private:
  void problem(std::string code, const std::string& message, std::string hint = {},
               Diagnostic::Severity severity = Diagnostic::Severity::error) {
    Diagnostic diagnostic;
    diagnostic.severity = severity;
    diagnostic.code = std::move(code);
    diagnostic.message = "node " + in_quotes(name_) + message;
    diagnostic.hint = std::move(hint);
    problems_.push_back(std::move(diagnostic));
  }

  static std::string of_profile(const std::string& profile) {
    return ", profile " + in_quotes(profile);
  }

  /// With Nix's own words, which are one line of a log: all of them are where the command shows.
  std::string evaluation_error() const {
    constexpr std::size_t longest = 500;
    auto said = one_line(node_.error);
    if (said.size() > longest) {
      said = one_line(said.substr(0, longest)) + "…";
    }
    return "node " + in_quotes(name_) + " could not be evaluated" +
           (said.empty() ? "" : ": " + said) + "; see: nix eval " + attribute_to_evaluate();
  }

  std::string attribute_to_evaluate() const {
    const auto attribute = "deploy.nodes." + nix_attribute(name_);
    return input_.overrides.file
               ? "--file " + shell_quote(flake_.flake) + " " + shell_quote(attribute)
               : shell_quote(flake_.flake + "#" + attribute);
  }

  std::optional<std::string> host_override() const {
    if (input_.overrides.hostname) {
      return input_.overrides.hostname;
    }
    return yaml_ ? yaml_->hostname : std::nullopt;
  }

  void check_host(const std::string& hostname) {
    if (hostname.empty()) {
      problem("missing-key", " has no hostname", "set it in the flake or the plan file");
    } else if (const auto complaint = check_ssh_word(hostname)) {
      problem("bad-value", ": hostname " + in_quotes(hostname) + ": " + *complaint);
    }
  }

  /// Names of the profiles that the targets ask for, where the evaluation brought no more.
  std::vector<std::string> selected_names() const {
    std::vector<std::string> names;
    for (const std::string& profile : node_.profile_names) {
      const bool wanted =
          std::any_of(input_.targets.begin(), input_.targets.end(), [&](const Target& target) {
            return target.flake == flake_.flake && (!target.node || *target.node == name_) &&
                   (!target.profile || *target.profile == profile);
          });
      if (wanted || input_.targets.empty()) {
        names.push_back(profile);
      }
    }
    return names;
  }

  /// profilesOrder first, then the rest by name.
  std::vector<std::string> ordered_profiles() {
    std::vector<std::string> order;
    for (const std::string& profile : node_.profiles_order) {
      if (!contains(node_.profile_names, profile) && !node_.profiles.contains(profile)) {
        problem("unknown-profile",
                ": profilesOrder names the unknown profile " + in_quotes(profile),
                did_you_mean(profile, node_.profile_names));
      } else if (node_.profiles.contains(profile) && !contains(order, profile)) {
        order.push_back(profile);
      }
    }
    for (const auto& [profile, value] : node_.profiles) {
      if (!contains(order, profile)) {
        order.push_back(profile);
      }
    }
    return order;
  }

  /// Everything that is said about a profile, the command line on top.
  Settings settings_of(const std::string& name, const FlakeProfile& profile) const {
    Settings settings = over_in_flake(node_.settings, flake_.settings);
    settings = over_in_flake(profile.settings, settings);
    if (input_.file) {
      settings = over(input_.file->settings, settings);
    }
    if (yaml_) {
      settings = over(yaml_->settings, settings);
      if (const ProfileOverride* own = profile_override(name)) {
        settings = over(own->settings, settings);
      }
    }
    return over(input_.overrides.settings, settings);
  }

  const ProfileOverride* profile_override(const std::string& name) const {
    if (!yaml_) {
      return nullptr;
    }
    const auto found = yaml_->profiles.find(name);
    return found == yaml_->profiles.end() ? nullptr : &found->second;
  }

  void add_profiles(Node& result) {
    for (const std::string& name : ordered_profiles()) {
      const FlakeProfile& profile = node_.profiles.at(name);
      const Settings settings = settings_of(name, profile);
      warn_of_what_is_not_done(name, settings);
      add_profile(result, name, profile, settings);
    }
  }

  Login login_of(const std::string& profile, const Settings& settings) {
    Login login{settings.ssh_user.value_or(input_.local_user),
                settings.ssh_opts.value_or(std::vector<std::string>{}),
                settings.transport.value_or(Transport::automatic)};
    login.options.insert(login.options.end(), settings.extra_ssh_opts.begin(),
                         settings.extra_ssh_opts.end());
    if (settings.ssh_user) {
      if (const auto complaint = check_ssh_word(login.user)) {
        problem("bad-value",
                of_profile(profile) + ": sshUser " + in_quotes(login.user) + ": " + *complaint);
      }
    }
    return login;
  }

  void warn_of_what_is_not_done(const std::string& profile, const Settings& settings) {
    if (settings.interactive_sudo.value_or(false) && !password_source(settings)) {
      problem("interactive-sudo", of_profile(profile) + ": interactiveSudo needs somebody to ask",
              "set sudoPasswordEnv or sudoPasswordFile in the plan file, or allow the sudo command "
              "without a password on the target and set interactiveSudo to false");
    }
  }

  static std::optional<SecretSource> password_source(const Settings& settings) {
    if (settings.sudo_password_env) {
      return SecretSource{SecretSource::Kind::variable, *settings.sudo_password_env};
    }
    if (settings.sudo_password_file) {
      return SecretSource{SecretSource::Kind::file, *settings.sudo_password_file};
    }
    return std::nullopt;
  }

  /// The words that become the profile's user, and the password that they ask for.
  void take_sudo(Profile& result, const Settings& settings) {
    result.sudo = settings.sudo.value_or(result.sudo);
    const auto words = split_white_space(result.sudo);
    if (words.empty()) {
      problem("bad-value", of_profile(result.name) + ": sudo is empty");
      return;
    }
    if (result.user == result.login.user) {
      return;
    }
    result.sudo_password = password_source(settings);
    result.store_sudo = settings.store_sudo.value_or(false);
    const auto program = words[0].substr(words[0].rfind('/') + 1);
    if (result.sudo_password && (program == "doas" || program == "run0" || program == "runuser")) {
      problem(program + "-password",
              of_profile(result.name) + ": " + program +
                  (program == "runuser" ? " asks for no password: it is for root alone"
                                        : " takes a password from a terminal only"),
              program == "doas" ? "allow the command in the target's doas.conf with nopass, or use "
                                  "sudo"
                                : "take the password away, or use sudo");
    }
  }

  /// The profile's owner: `user`, else the login's; a login that nobody named is no answer.
  std::optional<std::string> user_of(const std::string& profile, const Settings& settings) {
    const auto user = settings.user ? settings.user : settings.ssh_user;
    if (!user) {
      problem("missing-user", of_profile(profile) + ": neither user nor sshUser is set",
              "set one of them in the flake, the plan file or with --profile-user");
    } else if (!is_user_name(*user)) {
      problem("bad-value", of_profile(profile) + ": user " + in_quotes(*user) +
                               " is not a user name: letters, digits, _ . and - are");
    }
    return user;
  }

  /// nullopt where it is no path of a store or cannot be built as one.
  std::optional<StorePath> path_of(const std::string& name, const FlakeProfile& profile) {
    if (!profile.path) {
      return std::nullopt;
    }
    auto path = StorePath::parse(*profile.path);
    if (!path || path->is_derivation()) {
      problem("bad-path",
              of_profile(name) + ": " + attribute_of(name) + " is " + in_quotes(*profile.path) +
                  ", not the output of a derivation or another path directly in the store");
      return std::nullopt;
    }
    return path;
  }

  std::optional<StorePath> derivation_of(const std::string& name, const FlakeProfile& profile) {
    if (profile.derivations.empty()) {
      return std::nullopt;
    }
    if (profile.derivations.size() > 1) {
      problem("several-derivations",
              of_profile(name) + ": " + attribute_of(name) + " is made from " +
                  std::to_string(profile.derivations.size()) + " derivations at once",
              "make it the output of one derivation");
      return std::nullopt;
    }
    auto derivation = StorePath::parse(profile.derivations.front());
    if (!derivation || !derivation->is_derivation()) {
      problem("bad-path", of_profile(name) + ": " + in_quotes(profile.derivations.front()) +
                              " is not a derivation");
      return std::nullopt;
    }
    return derivation;
  }

  /// Where the profile's link is to be on the target: a place that a link can have.
  void check_link(const Profile& profile) {
    const auto attribute = attribute_of(profile.name, "profilePath");
    if (!profile.profile_path && !is_file_name(profile.name)) {
      problem("bad-value",
              of_profile(profile.name) + ": a link on the target cannot have that name",
              "rename the profile, or set " + attribute);
    } else if (profile.profile_path && !profile.profile_path->starts_with('/')) {
      problem("bad-value", of_profile(profile.name) + ": " + attribute + " is " +
                               in_quotes(*profile.profile_path) + ", not an absolute path");
    }
  }

  std::string attribute_of(const std::string& profile, std::string_view key = "path") const {
    return "deploy.nodes." + nix_attribute(name_) + ".profiles." + nix_attribute(profile) + "." +
           std::string(key);
  }

  void add_profile(Node& result, const std::string& name, const FlakeProfile& source,
                   const Settings& settings) {
    auto login = login_of(name, settings);
    const auto user = user_of(name, settings);
    const auto derivation = derivation_of(name, source);
    auto path = path_of(name, source);
    if (!path) {
      result.unevaluated_profiles.push_back(name);
      return;
    }
    const ProfileOverride* own = profile_override(name);
    Profile profile{name,
                    *path,
                    derivation,
                    own && own->profile_path ? own->profile_path : source.profile_path,
                    user.value_or(""),
                    std::move(login)};
    check_link(profile);
    take_sudo(profile, settings);
    profile.auto_rollback = settings.auto_rollback.value_or(profile.auto_rollback);
    profile.magic_rollback = settings.magic_rollback.value_or(profile.magic_rollback);
    profile.confirm_timeout = settings.confirm_timeout.value_or(profile.confirm_timeout);
    profile.activation_timeout = settings.activation_timeout.value_or(profile.activation_timeout);
    profile.boot_default = settings.boot_default.value_or(profile.boot_default);
    profile.fast_connection = settings.fast_connection.value_or(profile.fast_connection);
    profile.remote_build = derivation && settings.remote_build.value_or(false);
    adapt_to_mode(profile);
    result.profiles.push_back(std::move(profile));
  }

  /// There is nothing to confirm, nothing to try first and, in a dry run, nothing to undo.
  void adapt_to_mode(Profile& profile) const {
    profile.mode = input_.overrides.mode;
    if (profile.mode == Mode::activate) {
      return;
    }
    profile.magic_rollback = false;
    profile.boot_default = BootDefault::with_activation;
    profile.auto_rollback = profile.auto_rollback && profile.mode == Mode::boot;
  }

  const ResolveInput& input_;
  const FlakeOutput& flake_;
  const std::string& name_;
  const FlakeNode& node_;
  Diagnostics& problems_;
  const NodeOverride* yaml_ = nullptr;
};

} // namespace

std::optional<Node> resolve_node(const ResolveInput& input, const FlakeOutput& flake,
                                 const std::string& name, const FlakeNode& node,
                                 Diagnostics& problems) {
  Diagnostics own;
  Node result = NodeResolver(input, flake, name, node, own).resolve();
  if (result.skip) {
    return result;
  }
  if (node.evaluated && node.profiles.empty()) {
    own.push_back({Diagnostic::Severity::warning, "no-profiles",
                   "node " + in_quotes(name) + " has no profiles and is left out", "", 0, 0, ""});
  }
  problems.insert(problems.end(), own.begin(), own.end());
  return node.evaluated && node.profiles.empty() ? std::nullopt : std::optional(std::move(result));
}

} // namespace belay::plan
