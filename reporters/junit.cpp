// SPDX-License-Identifier: Apache-2.0
#include "reporters/junit.h"

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/text.h"
#include "reporters/junit_model.h"
#include "reporters/xml_text.h"

#include <array>
#include <charconv>
#include <chrono>

namespace belay::reporters {

namespace {

using Status = JunitCase::Status;

constexpr std::size_t message_limit = 200; // characters of the attribute
constexpr std::size_t body_limit = 8 * 1024;

std::string attribute(std::string_view name, std::string_view value) {
  std::string text = " ";
  ((text += name) += "=\"") += xml_attribute(value);
  return text += '"';
}

std::string attribute_unless_empty(std::string_view name, std::string_view value) {
  return value.empty() ? "" : attribute(name, value);
}

std::string number(double seconds) {
  std::array<char, 512> text{}; // the largest double has 309 digits
  const auto end = std::to_chars(text.data(), text.data() + text.size(),
                                 seconds < 0 ? 0.0 : seconds, std::chars_format::fixed, 3);
  return {text.data(), end.ptr};
}

std::string time_attribute(const std::optional<WallTime>& time) {
  return time ? attribute("timestamp", format_time(*time)) : "";
}

std::string_view element_of(Status status) {
  switch (status) {
  case Status::failure:
    return "failure";
  case Status::error:
    return "error";
  case Status::skipped:
  case Status::passed:
    break;
  }
  return "skipped";
}

class Writer {
public:
  explicit Writer(std::size_t log_limit) : log_limit_(log_limit) {}

  std::string document(const event::RunState& state, const std::vector<JunitSuite>& suites) {
    const std::string environment = state.started ? state.started->environment : "";
    xml_ = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites";
    xml_ += attribute("name", environment.empty() ? "belay" : "belay " + environment);
    xml_ += counts(suites);
    const auto elapsed = state.last_event_at - state.started_at;
    xml_ += attribute("time", number(std::chrono::duration<double>(elapsed).count())) + ">\n";
    for (const JunitSuite& suite : suites)
      if (log_limit_ == 0 || xml_.size() <= junit_limit) // else it will be written again, shorter
        add(suite);
    return std::move(xml_) + "</testsuites>\n";
  }

private:
  static std::string counts(std::span<const JunitSuite> suites) {
    std::size_t tests = 0;
    int failures = 0, errors = 0, skipped = 0;
    for (const JunitSuite& suite : suites) {
      tests += suite.cases.size();
      failures += suite.count(Status::failure);
      errors += suite.count(Status::error);
      skipped += suite.count(Status::skipped);
    }
    return attribute("tests", std::to_string(tests)) +
           attribute("failures", std::to_string(failures)) +
           attribute("errors", std::to_string(errors)) +
           attribute("skipped", std::to_string(skipped));
  }

  void add(const JunitSuite& suite) {
    xml_ += "  <testsuite" + attribute("name", suite.name) + counts({&suite, 1}) +
            attribute("time", number(suite.seconds())) + time_attribute(suite.started_at) +
            attribute_unless_empty("hostname", suite.host) + ">\n";
    add_properties(suite.properties, "    ");
    for (const JunitCase& c : suite.cases)
      add(c);
    xml_ += "  </testsuite>\n";
  }

  void add_properties(const std::vector<std::pair<std::string, std::string>>& properties,
                      const std::string& indent) {
    if (properties.empty())
      return;
    xml_ += indent + "<properties>\n";
    for (const auto& [name, value] : properties)
      xml_ += indent + "  <property" + attribute("name", name) + attribute("value", value) + "/>\n";
    xml_ += indent + "</properties>\n";
  }

  void add(const JunitCase& c) {
    xml_ += "    <testcase" + attribute("name", c.name) + attribute("classname", c.class_name) +
            attribute("time", number(c.seconds)) + attribute_unless_empty("file", c.file) +
            (c.line > 0 ? attribute("line", std::to_string(c.line)) : "") +
            time_attribute(c.started_at);
    if (c.status == Status::passed && c.attempts.empty() && c.properties.empty()) {
      xml_ += "/>\n";
      return;
    }
    xml_ += ">\n";
    add_properties(c.properties, "      ");
    if (c.status != Status::passed)
      add_status(c);
    for (const JunitCase::Attempt& attempt : c.attempts)
      add_attempt(attempt, c.status == Status::passed ? "flakyFailure" : "rerunFailure");
    xml_ += "    </testcase>\n";
  }

  /// The body repeats the message because GitLab shows only the body, and is never empty because
  /// its parser then loses the whole element.
  void add_status(const JunitCase& c) {
    const std::string message = one_line(c.message);
    std::string body = std::string(tail(message, body_limit));
    for (const std::string_view more : {std::string_view(c.body), log_of(c)})
      if (!more.empty())
        body += "\n" + std::string(more);
    xml_ += "      <" + std::string(element_of(c.status));
    if (c.status != Status::skipped) // no `type` of skipped in the schema that Jenkins has
      xml_ += attribute("type", c.type);
    xml_ += attribute("message", first_characters(message, message_limit)) + ">" + xml_text(body) +
            "</" + std::string(element_of(c.status)) + ">\n";
  }

  std::string_view log_of(const JunitCase& c) const {
    return c.status == Status::skipped || log_limit_ == 0 ? std::string_view()
                                                          : tail(c.log, log_limit_);
  }

  void add_attempt(const JunitCase::Attempt& attempt, const std::string& element) {
    const std::string type = attempt.type.empty() ? "error" : attempt.type;
    const std::string message = attempt.message.empty() ? type : one_line(attempt.message);
    xml_ += "      <" + element + attribute("type", type) +
            attribute("message", first_characters(message, message_limit)) + "><stackTrace>" +
            xml_text(tail(message, body_limit)) + "</stackTrace></" + element + ">\n";
  }

  std::size_t log_limit_;
  std::string xml_;
};

} // namespace

std::string junit_xml(const event::RunState& state) {
  const std::vector<JunitSuite> suites = junit_suites(state);
  std::string xml;
  for (const std::size_t log_limit :
       {event::log_tail_limit, std::size_t{8192}, std::size_t{1024}, std::size_t{0}}) {
    xml = Writer(log_limit).document(state, suites);
    if (xml.size() <= junit_limit)
      break;
  }
  return xml;
}

namespace {

/// A report is written whole, so one after each of N nodes would cost N² in the end. Waiting in
/// proportion to its size keeps it under a hundredth of the run's time, however large it is.
std::chrono::milliseconds pause_after(std::size_t size) {
  constexpr std::size_t small = 64 * 1024; // some 70 nodes
  constexpr std::size_t bytes_a_millisecond = 200;
  return std::chrono::milliseconds(size <= small ? 0 : size / bytes_a_millisecond);
}

} // namespace

JunitReporter::JunitReporter(std::filesystem::path path) : path_(std::move(path)) {
  try {
    replace_file(path_, junit_xml({}));
  } catch (const Error& error) {
    throw Error(ErrorKind::usage, "cannot write JUnit: " + error.message());
  }
}

void JunitReporter::report(const event::Event& event, const event::RunState& state) {
  if (std::holds_alternative<event::RunFinished>(event.payload))
    return write_last(state, event.time);
  owed_ |= std::holds_alternative<event::NodeFinished>(event.payload);
  // Events that say nothing new come all the time, heartbeats if nothing else: what is owed after a
  // burst of nodes does not wait for one more of them.
  if (owed_ && is_due(event.time))
    write_checkpoint(state, event.time);
}

bool JunitReporter::is_due(WallTime now) const {
  const bool clock_was_set_back = now < last_written_;
  return clock_was_set_back || now - last_written_ >= pause_after(last_size_);
}

/// Thrown here, an error would switch the reporter off and leave an old report for good.
void JunitReporter::write_checkpoint(const event::RunState& state, WallTime now) {
  try {
    write(state, now);
  } catch (const Error& error) {
    if (first_problem_.empty())
      first_problem_ = error.message();
  }
}

void JunitReporter::write_last(const event::RunState& state, WallTime now) {
  try {
    write(state, now);
  } catch (const Error& error) {
    if (first_problem_.empty() || first_problem_ == error.message())
      throw;
    throw Error(error.kind(), error.message() + " (first it was: " + first_problem_ + ")");
  }
}

void JunitReporter::write(const event::RunState& state, WallTime now) {
  const std::string xml = junit_xml(state);
  last_size_ = xml.size();
  last_written_ = now; // also where it fails: that is tried again no sooner
  replace_file(path_, xml);
  owed_ = false;
}

} // namespace belay::reporters
