// SPDX-License-Identifier: Apache-2.0
#include "engine/plan/yaml_document.h"

#include "engine/base/text.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <sstream>

namespace belay::plan {
namespace {

using Kind = YamlNode::Kind;

Mark mark_of(const YAML::Mark& mark) {
  return mark.is_null() ? Mark{} : Mark{mark.line + 1, mark.column + 1};
}

/// What ends the parsing of a document that is YAML, but not one that belay reads.
struct Refused {
  std::string code;
  std::string message;
  Mark mark;
};

bool all_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string_view without_sign(std::string_view text) {
  return text.starts_with('-') || text.starts_with('+') ? text.substr(1) : text;
}

/// [-+]? (\.[0-9]+ | [0-9]+(\.[0-9]*)?) ([eE][-+]?[0-9]+)?
bool is_real(std::string_view text) {
  text = without_sign(text);
  if (text == ".inf" || text == ".nan") {
    return true;
  }
  const auto exponent = text.find_first_of("eE");
  if (exponent != std::string_view::npos && !all_digits(without_sign(text.substr(exponent + 1)))) {
    return false;
  }
  const std::string_view mantissa = text.substr(0, exponent);
  const auto dot = mantissa.find('.');
  const std::string_view whole = mantissa.substr(0, dot);
  const std::string_view part =
      dot == std::string_view::npos ? std::string_view{} : mantissa.substr(dot + 1);
  return (whole.empty() || all_digits(whole)) && (part.empty() || all_digits(part)) &&
         !(whole.empty() && part.empty());
}

/// YAML 1.2's core schema for a plain scalar: `yes` and `on` are text there.
Kind plain_kind(std::string_view text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") {
    return Kind::null;
  }
  if (text == "true" || text == "True" || text == "TRUE" || text == "false" || text == "False" ||
      text == "FALSE") {
    return Kind::boolean;
  }
  if (all_digits(without_sign(text))) {
    return Kind::integer;
  }
  return is_real(text) ? Kind::real : Kind::text;
}

class TreeBuilder final : public YAML::EventHandler {
public:
  YamlPointer root() const { return root_ ? root_ : std::make_shared<YamlNode>(); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    leaf(Kind::null, mark, anchor, {});
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    // yaml-cpp's tags: "?" plain, "!" quoted.
    const bool is_text = tag == "!" || tag == "tag:yaml.org,2002:str";
    if (!is_text && !tag.empty() && tag != "?") {
      throw Refused{"yaml-tag", "YAML tags such as " + one_line(tag) + " are not supported",
                    mark_of(mark)};
    }
    leaf(is_text ? Kind::text : plain_kind(value), mark, anchor, value);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (++aliases_ > yaml_alias_limit) {
      throw Refused{"too-large", "more than 1000 YAML aliases", mark_of(mark)};
    }
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end() || is_open(*found->second)) {
      throw Refused{"yaml-alias", "a YAML alias stands inside of what it names", mark_of(mark)};
    }
    place(found->second, mark_of(mark));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Kind::list, mark, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Kind::map, mark, anchor);
  }
  void OnMapEnd() override { close(); }

private:
  struct Open {
    std::shared_ptr<YamlNode> node;
    YamlPointer key; ///< of a map: read, its value still to come
  };

  std::shared_ptr<YamlNode> make(Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    auto node = std::make_shared<YamlNode>();
    node->kind = kind;
    node->mark = mark_of(mark);
    if (++nodes_ > yaml_node_limit) {
      refuse_size(node->mark);
    }
    if (anchor != YAML::NullAnchor) {
      anchors_[anchor] = node;
    }
    return node;
  }

  void leaf(Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor, const std::string& text) {
    auto node = make(kind, mark, anchor);
    node->text = text;
    place(node, node->mark);
  }

  void open(Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    open_.push_back({make(kind, mark, anchor), nullptr});
  }

  void close() {
    const auto node = open_.back().node;
    open_.pop_back();
    place(node, node->mark);
  }

  bool is_open(const YamlNode& node) const {
    return std::any_of(open_.begin(), open_.end(),
                       [&](const Open& open) { return open.node.get() == &node; });
  }

  void place(const YamlPointer& node, Mark mark) {
    if (open_.empty()) {
      root_ = node;
      return;
    }
    Open& parent = open_.back();
    parent.node->weight += node->weight;
    if (parent.node->weight > yaml_node_limit) {
      refuse_size(mark);
    }
    if (parent.node->kind == Kind::list) {
      parent.node->items.push_back(node);
    } else if (!parent.key) {
      parent.key = node;
    } else {
      parent.node->entries.emplace_back(std::exchange(parent.key, nullptr), node);
    }
  }

  [[noreturn]] static void refuse_size(Mark mark) {
    throw Refused{"too-large", "more than 500000 YAML values, aliases counted each time", mark};
  }

  YamlPointer root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, YamlPointer> anchors_;
  std::size_t nodes_ = 0;
  std::size_t aliases_ = 0;
};

/// yaml-cpp hands on bytes as they come; no event and no artifact could hold them.
void require_utf8(std::string_view text) {
  const auto before = text.substr(0, valid_utf8_size(text));
  if (before.size() == text.size()) {
    return;
  }
  const auto line_start = before.rfind('\n') + 1; // of the first line: npos + 1, which is 0
  throw Refused{"not-utf8",
                "the file is not valid UTF-8 here; save it as UTF-8",
                {static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1,
                 static_cast<int>(before.size() - line_start) + 1}};
}

YamlPointer parse_documents(std::string_view text) {
  require_utf8(text);
  std::istringstream stream{std::string(text)};
  YAML::Parser parser(stream);
  TreeBuilder first;
  parser.HandleNextDocument(first);
  TreeBuilder second;
  if (parser.HandleNextDocument(second)) {
    throw Refused{"several-documents", "the file holds several YAML documents; a plan is one",
                  second.root()->mark};
  }
  return first.root();
}

} // namespace

std::string YamlNode::describe() const {
  const std::string shown = one_line(text.substr(0, 60));
  switch (kind) {
  case Kind::null:
    return "nothing";
  case Kind::boolean:
    return shown;
  case Kind::integer:
  case Kind::real:
    return "the number " + shown;
  case Kind::text:
    return "the text \"" + shown + '"';
  case Kind::list:
    return "a list";
  case Kind::map:
    return "a map";
  }
  return "a value";
}

void Problems::error(std::string code, std::string message, Mark mark, std::string hint) {
  if (++count_ > problem_limit) {
    return;
  }
  if (count_ == problem_limit) {
    code = "more-problems";
    message = "there are more problems from here on; mend the ones above first";
    hint.clear();
  }
  list_.push_back({Diagnostic::Severity::error, std::move(code), std::move(message), file_,
                   mark.line, mark.column, std::move(hint)});
}

YamlPointer parse_yaml(std::string_view text, Problems& problems) {
  try {
    return parse_documents(text);
  } catch (const Refused& refused) {
    problems.error(refused.code, refused.message, refused.mark);
  } catch (const YAML::Exception& error) {
    problems.error("invalid-yaml", "this is not YAML: " + error.msg, mark_of(error.mark));
  }
  return nullptr;
}

} // namespace belay::plan
