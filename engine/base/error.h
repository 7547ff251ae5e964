// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <string>
#include <string_view>

// One exception type carries everything that could not be done. Expected outcomes (a script that
// exits 4, a profile that was rolled back) are values; an Error means "could not do what was
// asked". Whoever knows more about what was going on adds context while it unwinds, outermost
// first: "deploying web-1: copying profile system: no route to host". It is caught at three
// places only: around a step, around a reporter call, and in main. Where nothing may pass (a
// thread's function, what has to take back after it), any exception is, by as_error().

namespace belay {

/// Why something could not be done. Each kind has one `reason` name, which is what events,
/// JUnit and exit codes are made from; the table is in error.cpp.
enum class ErrorKind {
  usage,                 ///< the command line is wrong
  invalid_plan,          ///< the plan file or the flake's `deploy` output is wrong
  nothing_selected,      ///< the targets select no node
  evaluation_failed,     ///< `nix eval` failed
  build_failed,          ///< a derivation failed to build
  no_activation,         ///< a closure has no program that activates it
  sign_failed,           ///< the closure could not be signed
  copy_failed,           ///< the closure could not be copied
  unreachable,           ///< no connection: no route, refused, reset, timed out, name unknown
  host_key_mismatch,     ///< the host is not who we expect
  authentication_failed, ///< the host refused every login that we have
  transport_unsupported, ///< this transport cannot do what the host or ssh_config asks for
  nix_missing,           ///< the target has no usable Nix
  agent_missing,         ///< there is no agent for the target's system
  protocol,              ///< the other side said something that we do not understand
  lock_held,             ///< another deploy holds the target
  deadline_exceeded,     ///< a wait ran into its deadline
  cancelled,             ///< a cancel token fired
  secret,                ///< a password or key is missing or wrong
  no_privilege,          ///< the login may not become the owner of the profile
  system,                ///< an operating-system call failed
  internal,              ///< a bug in belay
};

/// The kebab-case name of a kind, as used in an event's `reason`: "host-key-mismatch".
std::string_view reason_of(ErrorKind kind);

/// The one exception. `what()` is the whole message with its context, on one line.
class Error : public std::exception {
public:
  Error(ErrorKind kind, std::string message);

  /// An Error of kind `system` whose message ends in the text of `error_number` (errno).
  static Error from_errno(std::string message, int error_number);

  /// Puts "context: " before the message. Call it where the error passes by, then rethrow.
  void add_context(std::string_view context);

  ErrorKind kind() const { return kind_; }
  std::string_view reason() const { return reason_of(kind_); }
  const std::string& message() const { return message_; }
  /// Of an operating-system call, as from_errno was given it; 0 where none failed. What could not
  /// be read for such a reason is unknown; what was read and makes no sense is known to make none.
  int error_number() const { return error_number_; }
  const char* what() const noexcept override { return message_.c_str(); }

private:
  ErrorKind kind_;
  std::string message_;
  int error_number_ = 0;
};

/// What was caught, as an Error: itself where it is one; else `system` where the operating system
/// refused (std::system_error, which a file's are too, and std::bad_alloc), else `internal`.
Error as_error(const std::exception& caught);

} // namespace belay
