// SPDX-License-Identifier: Apache-2.0
#include "engine/plan/target.h"

#include "engine/base/error.h"

#include <algorithm>
#include <array>
#include <vector>

namespace belay::plan {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_bare(char c) {
  return is_letter(c) || (c >= '0' && c <= '9') || c == '\'' || c == '-';
}

/// Reads the fragment part by part; every complaint names the whole target.
class FragmentReader {
public:
  FragmentReader(std::string_view target, std::string_view fragment, std::string form)
      : target_(target), rest_(fragment), form_(std::move(form)) {}

  std::vector<std::string> parts() {
    std::vector<std::string> parts;
    while (true) {
      parts.push_back(rest_.starts_with('"') ? quoted_part() : bare_part());
      if (rest_.empty()) {
        return parts;
      }
      if (rest_.front() != '.') {
        complain("a quoted part must be followed by a dot or the end");
      }
      rest_.remove_prefix(1);
    }
  }

  [[noreturn]] void complain(const std::string& problem) const {
    throw Error(ErrorKind::usage,
                "target '" + std::string(target_) + "': " + problem + "; the form is " + form_);
  }

private:
  std::string bare_part() {
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), is_bare);
    const auto length = static_cast<std::size_t>(end - rest_.begin());
    if (end != rest_.end() && *end != '.') {
      complain("the character '" + std::string(1, *end) +
               R"(' needs quotes around its part, as in '.#"web.example.com".system')");
    }
    if (length == 0) {
      complain("a name is empty");
    }
    std::string part(rest_.substr(0, length));
    rest_.remove_prefix(length);
    return part;
  }

  std::string quoted_part() {
    std::string part;
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      const char c = rest_[i];
      if (c == '"') {
        rest_.remove_prefix(i + 1);
        if (part.empty()) {
          complain("a name is empty");
        }
        return part;
      }
      if (c == '$' && i + 1 < rest_.size() && rest_[i + 1] == '{') {
        complain("a name cannot hold ${…}; write \\${ for the text itself");
      }
      part += c == '\\' && i + 1 < rest_.size() ? unescaped(rest_[++i]) : c;
    }
    complain("a quote is not closed");
  }

  static char unescaped(char c) {
    switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return c;
    }
  }

  std::string_view target_;
  std::string_view rest_;
  std::string form_; ///< how a target is written
};

void read_fragment(FragmentReader& reader, Target& target) {
  const auto parts = reader.parts();
  if (parts.size() > 2) {
    reader.complain("it has " + std::to_string(parts.size()) +
                    " parts, at most two name something");
  }
  target.node = parts[0];
  if (parts.size() == 2) {
    target.profile = parts[1];
  }
}

void refuse_nul(const FragmentReader& reader, std::string_view text) {
  if (text.find('\0') != std::string_view::npos) {
    reader.complain("it holds a NUL character");
  }
}

bool is_keyword(std::string_view name) {
  static constexpr std::array<std::string_view, 10> keywords{
      "assert", "else", "if", "in", "inherit", "let", "or", "rec", "then", "with"};
  return std::find(keywords.begin(), keywords.end(), name) != keywords.end();
}

} // namespace

Target parse_target(std::string_view text) {
  const auto hash = text.find('#');
  Target target;
  if (hash != 0) {
    target.flake = std::string(text.substr(0, hash));
  }
  const std::string_view fragment =
      hash == std::string_view::npos ? std::string_view{} : text.substr(hash + 1);
  FragmentReader reader(text, fragment, "FLAKE[#NODE[.PROFILE]]");
  if (text.empty()) {
    reader.complain("it is empty");
  }
  refuse_nul(reader, text);
  if (text.front() == '-') {
    reader.complain("a flake cannot begin with a dash");
  }
  if (!fragment.empty()) {
    read_fragment(reader, target);
  }
  return target;
}

Target parse_file_target(const std::string& file, std::string_view text) {
  Target target;
  target.flake = file;
  FragmentReader reader(text, text, "NODE[.PROFILE] where --file is given");
  refuse_nul(reader, text);
  if (text != ".") {
    read_fragment(reader, target);
  }
  return target;
}

std::string nix_attribute(std::string_view name) {
  const bool bare = !name.empty() && is_letter(name.front()) &&
                    std::all_of(name.begin(), name.end(), is_bare) && !is_keyword(name);
  return bare ? std::string(name) : nix_string(name);
}

std::string nix_string(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    switch (c) {
    case '"':
    case '\\':
    case '$': // every one: whether `${` would be text depends on the `$`s before it
      result += '\\';
      result += c;
      break;
    case '\n':
      result += "\\n";
      break;
    case '\r': // Nix reads a raw CR as LF
      result += "\\r";
      break;
    case '\t':
      result += "\\t";
      break;
    default:
      result += c;
    }
  }
  return result + '"';
}

} // namespace belay::plan
