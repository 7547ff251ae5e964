// SPDX-License-Identifier: Apache-2.0
#include "engine/base/text.h"
#include "engine/nix/internal_json.h"
#include "tests/fuzz/fuzz_target.h"

// A line that Nix wrote, or a builder, which may write what it likes. It is never an error, and
// text of it is fit to be shown.

namespace belay::fuzz {

void feed(std::string_view text) {
  for (const std::string& line : split(text, '\n')) {
    const nix::LogRecord record = nix::parse_log_line(line);
    require(clean_text(record.text) == record.text, "text is clean");
    require(valid_utf8(record.subject) == record.subject, "a subject is UTF-8");
    require(line.starts_with("@nix ") || record.kind == nix::LogRecord::Kind::text,
            "what is not Nix's is text");
  }
}

} // namespace belay::fuzz
