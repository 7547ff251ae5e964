// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string>

// The flags of deploy-rs's command line, for the tests that ask whether one was left out.

namespace belay::tests {

inline const std::array<std::string, 26> deploy_rs_flags = {"--targets",
                                                            "--file",
                                                            "--checksigs",
                                                            "--interactive",
                                                            "--debug-logs",
                                                            "--log-dir",
                                                            "--keep-result",
                                                            "--result-path",
                                                            "--skip-checks",
                                                            "--remote-build",
                                                            "--ssh-user",
                                                            "--profile-user",
                                                            "--ssh-opts",
                                                            "--fast-connection",
                                                            "--auto-rollback",
                                                            "--hostname",
                                                            "--magic-rollback",
                                                            "--confirm-timeout",
                                                            "--activation-timeout",
                                                            "--temp-path",
                                                            "--dry-activate",
                                                            "--boot",
                                                            "--rollback-succeeded",
                                                            "--sudo",
                                                            "--interactive-sudo",
                                                            "--no-progress"};

inline const std::array<std::string, 7> deploy_rs_short_flags = {"-f", "-c", "-i", "-d",
                                                                 "-k", "-r", "-s"};

} // namespace belay::tests
