// SPDX-License-Identifier: Apache-2.0
#include "engine/event/event_json.h"

#include "engine/base/text.h"
#include "engine/event/event_text.h"
#include "engine/event/json_writer.h"
#include "engine/event/shrink.h"

namespace belay::event {

namespace {

std::optional<std::string_view> text_or_null(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional<std::string_view>(text);
}

std::optional<int> number_or_null(int number) {
  return number == 0 ? std::nullopt : std::optional(number);
}

/// `data` of each type: every field always present, null for none.
struct Encode {
  JsonWriter& out;

  void profile(const PlanResolved::Profile& p) const {
    out.value([&] {
      out.field("name", p.name);
      out.field("path", text_or_null(p.path));
      out.field("stages", p.stages, [&](Stage stage) { out.value(name_of(stage)); });
      out.field("remote_build", p.remote_build);
    });
  }
  void node(const PlanResolved::Node& n) const {
    out.value([&] {
      out.field("id", n.id);
      out.field("host", n.host);
      out.field("target", n.target);
      out.field("profiles", n.profiles, [&](const auto& p) { profile(p); });
    });
  }
  void counts(const RunFinished::Counts& c) const {
    out.field("success", c.success);
    out.field("failure", c.failure);
    out.field("error", c.error);
    out.field("cancelled", c.cancelled);
    out.field("skipped", c.skipped);
    out.field("changed", c.changed);
    out.field("rolled_back", c.rolled_back);
  }
  void trigger(const RunStarted::Trigger& t) const {
    out.field("kind", t.kind);
    out.field("actor", text_or_null(t.actor));
    out.field("url", text_or_null(t.url));
    out.field("ci", [&] {
      out.field("provider", text_or_null(t.provider));
      out.field("run_id", text_or_null(t.run_id));
      out.field("attempt", text_or_null(t.attempt));
    });
  }
  void plan(const RunStarted& p) const {
    const auto first = p.flakes.empty() ? std::nullopt : std::optional(p.flakes.front());
    out.field("path", text_or_null(p.plan_path));
    out.field("flake", first);
    out.field("flakes", p.flakes);
    out.field("rev", text_or_null(p.rev));
    out.field("dirty", p.dirty);
  }

  void operator()(const RunStarted& p) const {
    out.field("schema", [&] {
      out.field("name", schema_name);
      out.field("major", schema_major);
      out.field("minor", schema_minor);
    });
    out.field("tool", [&] {
      out.field("name", p.tool_name);
      out.field("version", p.tool_version);
    });
    out.field("nix", [&] { out.field("version", text_or_null(p.nix_version)); });
    out.field("command", p.command);
    out.field("plan", [&] { plan(p); });
    out.field("environment", text_or_null(p.environment));
    out.field("trigger", [&] { trigger(p.trigger); });
    out.field("host", p.host);
    out.field("pid", p.pid);
    out.field("options", p.options);
  }
  void operator()(const PlanResolved& p) const {
    out.field("nodes", p.nodes, [&](const auto& n) { node(n); });
    out.field("parallel", p.parallel);
    out.field("mode", name_of(p.mode));
    out.field("part", p.part);
    out.field("last", p.last);
  }
  void operator()(const DiagnosticFound& p) const {
    out.field("severity", name_of(p.severity));
    out.field("code", p.code);
    out.field("file", text_or_null(p.file));
    out.field("line", number_or_null(p.line));
    out.field("column", number_or_null(p.column));
    out.field("hint", text_or_null(p.hint));
  }
  void operator()(const EvaluateFinished& p) const {
    out.field("outcome", name_of(p.outcome));
    out.field("duration_s", p.duration);
    out.field("error", text_or_null(p.error));
  }
  void operator()(const CheckFinished& p) const {
    out.field("flake", p.flake);
    out.field("outcome", name_of(p.outcome));
    out.field("duration_s", p.duration);
    out.field("failed", p.failed);
    out.field("error", text_or_null(p.error));
  }
  void operator()(const BuildFinished& p) const {
    out.field("drv", p.derivation);
    out.field("outputs", p.outputs);
    out.field("outcome", name_of(p.outcome));
    out.field("cached", p.cached);
    out.field("duration_s", p.duration);
    out.field("reason", text_or_null(p.reason));
    out.field("built_on", text_or_null(p.built_on));
  }
  void operator()(const NodeQueued&) const {}
  void operator()(const NodeStarted& p) const { out.field("host", p.host); }
  void operator()(const StageStarted&) const {}
  void operator()(const StageProgress& p) const {
    out.field("bytes", p.bytes);
    out.field("bytes_expected", p.bytes_expected);
    out.field("pct", percent_of(p));
  }
  void operator()(const StageFinished& p) const {
    out.field("outcome", name_of(p.outcome));
    out.field("reason", text_or_null(p.reason));
    out.field("duration_s", p.duration);
    out.field("changed", p.changed);
    out.field("attempts", p.attempts);
    out.field("exit_status", p.exit_status);
    out.field("bytes", p.bytes);
    out.field("generation_before", p.generation_before);
    out.field("generation_after", p.generation_after);
    out.field("details", p.details);
  }
  void operator()(const StageRetrying& p) const {
    out.field("attempt", p.attempt);
    out.field("max", p.max);
    out.field("delay_s", p.delay);
    out.field("reason", text_or_null(p.reason));
  }
  void operator()(const LockWaiting& p) const {
    out.field("holder_run", text_or_null(p.holder_run));
    out.field("holder_url", text_or_null(p.holder_url));
    out.field("since", text_or_null(p.since));
    out.field("attended", p.attended);
    out.field("longest_s", p.longest);
  }
  void operator()(const EarlierResolved& p) const {
    out.field("earlier_run", p.earlier_run);
    out.field("transaction", p.transaction);
    out.field("state", p.state);
    out.field("reason", text_or_null(p.reason));
  }
  void operator()(const NodeRolledBack& p) const {
    out.field("from", p.from);
    out.field("to", p.to);
    out.field("trigger", name_of(p.trigger));
    out.field("verified", p.verified);
  }
  void operator()(const NodeFinished& p) const {
    out.field("outcome", name_of(p.outcome));
    out.field("reason", text_or_null(p.reason));
    out.field("changed", p.changed);
    out.field("rollback", name_of(p.rollback));
    out.field("generation_after", p.generation_after);
    out.field("duration_s", p.duration);
    out.field("decides_by", text_or_null(p.decides_by));
  }
  void operator()(const LogLine& p) const {
    out.field("stream", p.stream);
    out.field("text", p.text);
    out.field("part", p.part);
    out.field("last", p.last);
  }
  void operator()(const Heartbeat& p) const { out.field("running", p.running); }
  void operator()(const CancelRequested& p) const {
    out.field("source", p.source);
    out.field("signal", text_or_null(p.signal));
    out.field("policy", p.policy);
  }
  void operator()(const WebhookDelivered& p) const {
    out.field("endpoint", p.endpoint);
    out.field("id", p.id);
    out.field("attempts", p.attempts);
    out.field("status", p.status);
  }
  void operator()(const WebhookFailed& p) const {
    out.field("endpoint", p.endpoint);
    out.field("id", p.id);
    out.field("attempts", p.attempts);
    out.field("status", p.status);
    out.field("error", p.error);
  }
  void operator()(const RunFinished& p) const {
    out.field("outcome", name_of(p.outcome));
    out.field("exit_code", p.exit_code);
    out.field("reason", p.reason);
    out.field("counts", [&] { counts(p.counts); });
    out.field("duration_s", p.duration);
    out.field("artifacts", p.artifacts);
    out.field("nodes", p.nodes, [&](const RunFinished::Node& n) {
      out.value([&] {
        out.field("id", n.id);
        out.field("outcome", name_of(n.outcome));
        out.field("reason", text_or_null(n.reason));
      });
    });
    out.field("nodes_omitted", p.nodes_omitted);
  }
};

void encode_subject(JsonWriter& out, const Subject& subject) {
  if (!subject.node.empty())
    out.field("node", subject.node);
  if (!subject.profile.empty())
    out.field("profile", subject.profile);
  if (subject.stage)
    out.field("stage", name_of(*subject.stage));
  if (subject.attempt != 0)
    out.field("attempt", subject.attempt);
}

/// The envelope first: a person who reads a line looks for it there.
void encode(JsonWriter& out, const Event& event) {
  out.value([&] {
    out.field("v", schema_major);
    out.field("seq", event.sequence);
    out.field("time", format_time(event.time));
    out.field("run", event.run);
    out.field("type", type_of(event.payload));
    out.field("level", name_of(event.level));
    out.field("msg", event.message);
    encode_subject(out, event.subject);
    out.field("data", [&] { std::visit(Encode{out}, event.payload); });
  });
}

std::string encode(const Event& event) {
  JsonWriter out;
  encode(out, event);
  return out.take();
}

constexpr std::size_t usual_line = 512; // bytes; with room for the line feed that follows

/// The line of an event in which there is nothing to clean, without a copy of it: that is nearly
/// every event, since the Emitter cleans them. nullopt for any other.
std::optional<std::string> encode_clean(const Event& event) {
  if (event.message.empty() || !is_one_line(event.message) || !is_one_line(event.run))
    return std::nullopt;
  JsonWriter out;
  out.reserve(usual_line);
  encode(out, event);
  return out.is_plain() ? std::optional(out.take()) : std::nullopt;
}

} // namespace

std::string to_json_line(const Event& event, std::size_t limit) {
  if (auto line = encode_clean(event); line && line->size() + 1 <= limit)
    return *std::move(line);
  Event clean = event;
  visit_text(clean.payload, cleaner());
  visit_text(clean.subject, cleaner());
  clean.message = one_line(clean.message);
  if (clean.message.empty())
    clean.message = describe(clean.payload, clean.subject);
  clean.run = one_line(clean.run);
  std::string line = encode(clean);
  for (int round = 0; line.size() + 1 > limit && shrink(clean, round); ++round)
    line = encode(clean);
  return line;
}

} // namespace belay::event
