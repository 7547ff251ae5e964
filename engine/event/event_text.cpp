// SPDX-License-Identifier: Apache-2.0
#include "engine/event/event_text.h"

#include "engine/base/text.h"

namespace belay::event {

namespace {

/// One overload a payload, so that a new one does not compile until it is listed here.
struct Walk {
  const TextVisitor& visitor;

  template <typename... Strings> void texts(Strings&... strings) const {
    (visitor.text(strings), ...);
  }
  void texts_of(std::vector<std::string>& list) const {
    for (std::string& item : list)
      visitor.text(item);
  }
  void dictionary(std::map<std::string, std::string>& map) const {
    if (map.empty())
      return;
    std::map<std::string, std::string> walked;
    for (auto& [key, value] : map) {
      std::string new_key = key;
      texts(new_key, value);
      walked.emplace(std::move(new_key), std::move(value));
    }
    map = std::move(walked);
  }

  void operator()(RunStarted& p) const {
    texts(p.tool_name, p.tool_version, p.nix_version, p.command, p.plan_path, p.rev, p.environment,
          p.host);
    texts(p.trigger.kind, p.trigger.actor, p.trigger.url, p.trigger.provider, p.trigger.run_id,
          p.trigger.attempt);
    texts_of(p.flakes);
    dictionary(p.options);
  }
  void operator()(PlanResolved& p) const {
    for (PlanResolved::Node& node : p.nodes) {
      visitor.name(node.id);
      texts(node.host, node.target);
      for (PlanResolved::Profile& profile : node.profiles) {
        visitor.name(profile.name);
        texts(profile.path);
      }
    }
  }
  void operator()(DiagnosticFound& p) const { texts(p.code, p.file, p.hint); }
  void operator()(EvaluateFinished& p) const { texts(p.error); }
  void operator()(CheckFinished& p) const {
    texts(p.flake, p.error);
    texts_of(p.failed);
  }
  void operator()(BuildFinished& p) const {
    texts(p.derivation, p.reason, p.built_on);
    texts_of(p.outputs);
  }
  void operator()(NodeQueued&) const {}
  void operator()(NodeStarted& p) const { texts(p.host); }
  void operator()(StageStarted&) const {}
  void operator()(StageProgress&) const {}
  void operator()(StageFinished& p) const {
    texts(p.reason);
    dictionary(p.details);
  }
  void operator()(StageRetrying& p) const { texts(p.reason); }
  void operator()(LockWaiting& p) const { texts(p.holder_run, p.holder_url, p.since); }
  void operator()(EarlierResolved& p) const {
    texts(p.earlier_run, p.transaction, p.state, p.reason);
  }
  void operator()(NodeRolledBack&) const {}
  void operator()(NodeFinished& p) const { texts(p.reason, p.decides_by); }
  void operator()(LogLine& p) const { texts(p.stream, p.text); }
  void operator()(Heartbeat& p) const {
    for (std::string& node : p.running)
      visitor.name(node);
  }
  void operator()(CancelRequested& p) const { texts(p.source, p.signal, p.policy); }
  void operator()(WebhookDelivered& p) const { texts(p.endpoint, p.id); }
  void operator()(WebhookFailed& p) const { texts(p.endpoint, p.id, p.error); }
  void operator()(RunFinished& p) const {
    texts(p.reason);
    dictionary(p.artifacts);
    for (RunFinished::Node& node : p.nodes) {
      visitor.name(node.id);
      texts(node.reason);
    }
  }
};

} // namespace

void visit_text(Payload& payload, const TextVisitor& visitor) {
  std::visit(Walk{visitor}, payload);
}

void visit_text(Subject& subject, const TextVisitor& visitor) {
  visitor.name(subject.node);
  visitor.name(subject.profile);
}

std::string clean_name(std::string_view name) {
  std::string visible;
  for (const char character : name) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte == '\t' || byte == '\n' || (byte >= 0x20 && byte != 0x7f)) {
      visible += character;
    } else { // U+2400 + code, U+2421 for DEL: "control pictures", E2 90 80 onwards
      visible += "\xe2\x90";
      visible += static_cast<char>(0x80 + (byte == 0x7f ? 0x21 : byte));
    }
  }
  return valid_utf8(visible);
}

TextVisitor cleaner() {
  return {[](std::string& name) {
            if (!is_plain_text(name))
              name = clean_name(name);
          },
          [](std::string& text) {
            if (!is_plain_text(text))
              text = clean_text(text);
          }};
}

} // namespace belay::event
