// SPDX-License-Identifier: Apache-2.0
#include "engine/plan/setting_keys.h"

#include <array>

namespace belay::plan {

std::span<const SettingKey> setting_keys() {
  static const std::array<SettingKey, 18> keys{{
      {"sshUser", &Settings::ssh_user, "User of the ssh login; default: the local user."},
      {"user", &Settings::user, "Owner of the profile on the target; default: sshUser."},
      {"sshOpts", &Settings::ssh_opts,
       "Arguments for ssh, one word each. In the plan file they replace the flake's."},
      {"extraSshOpts", &Settings::extra_ssh_opts,
       "Arguments for ssh that come after those of the level below.", SettingScope::file_only},
      {"fastConnection", &Settings::fast_connection,
       "true: copy everything from here; the target asks no substituter. Default: false."},
      {"autoRollback", &Settings::auto_rollback,
       "Roll back where the activation fails. Default: true."},
      {"magicRollback", &Settings::magic_rollback,
       "Roll back unless a new login confirms the activation. Default: true."},
      {"confirmTimeout", &Settings::confirm_timeout,
       "Seconds from the end of the activation until the target rolls back by itself unless it was "
       "confirmed. Default: 30."},
      {"activationTimeout", &Settings::activation_timeout,
       "Seconds that the activation script may take. Default: 240."},
      {"bootDefault", &Settings::boot_default,
       "When a new generation becomes the one that the machine boots. afterConfirm: once it is "
       "confirmed; for closures with bin/switch-to-configuration. withActivation (default): by its "
       "activation script.",
       SettingScope::file_only},
      {"tempPath", &Settings::temp_path,
       "Accepted for deploy-rs's sake and without effect: belay leaves no file in a shared "
       "folder."},
      {"sudo", &Settings::sudo,
       "Command that becomes the profile's user, split at white space; the user is its last "
       "argument. Default: sudo -u."},
      {"remoteBuild", &Settings::remote_build,
       "Build on the target: derivations and sources go over instead of what they make. Default: "
       "false."},
      {"interactiveSudo", &Settings::interactive_sudo,
       "sudo asks for a password. Refused when true, unless the plan file says where the password "
       "is: nobody is there to answer."},
      {"sudoPasswordEnv", &Settings::sudo_password_env,
       "Environment variable that holds the password that sudo asks for.", SettingScope::file_only},
      {"sudoPasswordFile", &Settings::sudo_password_file,
       "File that holds the password that sudo asks for.", SettingScope::file_only},
      {"transport", &Settings::transport,
       "auto: libssh2 in this process, and the ssh program where that cannot do what the host or "
       "ssh_config asks for. libssh2, openssh: always that one. Default: auto.",
       SettingScope::file_only},
      {"storeSudo", &Settings::store_sudo,
       "true: where sudo leads to the profile's user, closures are handed to the target's store as "
       "that user, too. As root that bypasses every check of signatures. Default: false.",
       SettingScope::file_only},
  }};
  return keys;
}

} // namespace belay::plan
