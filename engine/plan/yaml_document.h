// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/plan/diagnostic.h"
#include "engine/plan/plan_file.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// YAML as values with marks. yaml-cpp's own node type has no types of scalars, hides duplicated
// keys and follows aliases for ever; so its events are turned into this small tree, in which every
// scalar has the type that YAML 1.2's core schema gives it, every map keeps all of its entries, and
// what aliases can blow up to is bounded. Nothing else in belay sees yaml-cpp.

namespace belay::plan {

struct YamlNode;
using YamlPointer = std::shared_ptr<const YamlNode>;

struct YamlNode {
  enum class Kind { null, boolean, integer, real, text, list, map };
  Kind kind = Kind::null;
  Mark mark;
  std::string text; ///< of a scalar, as written
  std::vector<YamlPointer> items;
  std::vector<std::pair<YamlPointer, YamlPointer>> entries;
  std::size_t weight = 1; ///< nodes below and including this one, aliases counted each time

  /// `a list`, `the number 8`, `the text "many"`.
  std::string describe() const;
};

/// Bounds of one document. A plan for 10,000 nodes with 20 keys each stays below the first.
inline constexpr std::size_t yaml_node_limit = 500'000;
inline constexpr std::size_t yaml_alias_limit = 1'000;

/// Collects the problems of one file. After `problem_limit` of them it says that there are more and
/// keeps silent, so that a wrong kind of file does not fill the log.
class Problems {
public:
  static constexpr std::size_t problem_limit = 200;

  Problems(std::string file, Diagnostics& list) : file_(std::move(file)), list_(list) {}
  void error(std::string code, std::string message, Mark mark, std::string hint = {});
  std::size_t count() const { return count_; } ///< of all, also those that were not kept

private:
  std::string file_;
  Diagnostics& list_;
  std::size_t count_ = 0;
};

/// The one document of `text`; nullptr where it is not YAML, which is then one problem. An empty
/// text is a null.
YamlPointer parse_yaml(std::string_view text, Problems& problems);

} // namespace belay::plan
