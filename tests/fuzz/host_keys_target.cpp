// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"
#include "engine/ssh/base64.h"
#include "engine/ssh/host_key.h"
#include "tests/fuzz/fuzz_target.h"

// Host keys: pinned in a plan, found by `ssh-keygen -F`, shown by a host. The text is all three. A
// key that is revoked, or not the pinned one, is never accepted, however it is written.

namespace belay::fuzz {

namespace {

void judge(const ssh::HostKeyExpectation& expectation, const ssh::PresentedKey& key) {
  for (const auto strict :
       {ssh::StrictHostKeys::yes, ssh::StrictHostKeys::accept_new, ssh::StrictHostKeys::no})
    try {
      ssh::judge_host_key(expectation, key, strict);
      require(!expectation.pinned || expectation.pinned->blob == key.blob,
              "another key than the pinned one is refused");
      for (const ssh::KnownKey& known : expectation.known)
        require(expectation.pinned || known.mark != ssh::KnownKey::Mark::revoked ||
                    known.blob != key.blob,
                "a revoked key is refused");
    } catch (const Error& error) {
      require(error.kind() == ErrorKind::host_key_mismatch, "refused: host_key_mismatch");
    }
}

} // namespace

void feed(std::string_view text) {
  ssh::HostKeyExpectation expectation;
  const std::string answer(text);
  expectation.known = ssh::parse_keygen_answer(answer, "known_hosts");
  ssh::host_key_methods(expectation);
  for (const ssh::KnownKey& known : expectation.known)
    judge(expectation, {ssh::type_of_blob(known.blob), known.blob, "SHA256:"});
  judge(expectation, {ssh::type_of_blob(text), answer, "SHA256:"});
  try {
    expectation.pinned = ssh::parse_pinned_key(answer.substr(0, answer.find('\n')));
    require(ssh::type_of_blob(expectation.pinned->blob) == expectation.pinned->type,
            "a pinned key is of the type that it says");
    judge(expectation, {expectation.pinned->type, expectation.pinned->blob, "SHA256:"});
    judge(expectation, {ssh::type_of_blob(text), answer, "SHA256:"});
  } catch (const Error& error) {
    require(error.kind() == ErrorKind::invalid_plan, "no pinned key: invalid_plan");
  }
}

} // namespace belay::fuzz
