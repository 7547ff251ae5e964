// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/event/samples.h"

#include "engine/base/text.h"

namespace belay::event::test {

std::vector<Payload> full_payloads() {
  RunStarted started{"belay",
                     "0.1.0",
                     "2.8.0",
                     "run",
                     "belay.yaml",
                     {".#a", "github:x/y"},
                     "3f2c1ab",
                     true,
                     "production",
                     {"github", "mona", "https://ci.example/1", "github", "1", "2"},
                     "runner-1",
                     4711,
                     {{"parallel", "8"}}};
  PlanResolved plan{{{"web-1",
                      "web-1.internal",
                      ".#web-1",
                      {{"system", {Stage::build, Stage::activate}, "/nix/store/x"}}}},
                    8,
                    Mode::dry_activate,
                    2,
                    false};
  StageFinished stage{
      Outcome::failure,  "activation-failed", Duration(2100), true, 3, 4, 12345, 17, 18,
      {{"drift", "yes"}}};
  NodeFinished node{Outcome::error, "state-unknown",           true, Rollback::unknown, 18,
                    Duration(9800), "2026-03-01T12:00:00.000Z"};
  RunFinished finished{Outcome::failure,
                       11,
                       "rolled-back",
                       {1, 2, 3, 4, 5, 6, 7},
                       Duration(12400),
                       {{"junit", "out/junit.xml"}},
                       {{"web-1", Outcome::failure, "rolled-back"}},
                       3};
  return {started,
          plan,
          DiagnosticFound{DiagnosticFound::Severity::warning, "unknown-key", "belay.yaml", 2, 1,
                          "did you mean \"parallel\"?"},
          EvaluateFinished{Outcome::failure, Duration(1200), "attribute missing"},
          CheckFinished{".", Outcome::failure, Duration(2300), {"checks.x86_64-linux.a"}, "no"},
          BuildFinished{"/nix/store/x.drv",
                        {"/nix/store/x"},
                        Outcome::failure,
                        true,
                        Duration(4100),
                        "build-failed",
                        "web-1"},
          NodeQueued{},
          NodeStarted{"web-1.internal"},
          StageStarted{},
          StageProgress{123456789012, 234567890123},
          stage,
          StageRetrying{1, 3, Duration(1500), "unreachable"},
          LockWaiting{"run-0", "https://ci.example/1", "2026-03-01T11:59:00.000Z", false,
                      Duration(60000)},
          EarlierResolved{"run-0", "0123456789ab", "rolled-back", "interrupted"},
          NodeRolledBack{18, 17, RollbackTrigger::confirm_timeout, true},
          node,
          LogLine{"nix", "a line\nand one more", 2, false},
          Heartbeat{{"web-1", "db-1"}},
          CancelRequested{"signal", "SIGTERM", "grace 6 s"},
          WebhookDelivered{"https://hooks.example", "run-1", 2, 200},
          WebhookFailed{"https://hooks.example", "run-2", 5, 503, "gave up"},
          finished};
}

std::vector<Payload> empty_payloads() {
  return {RunStarted{},    PlanResolved{},    DiagnosticFound{}, EvaluateFinished{},
          CheckFinished{}, BuildFinished{},   NodeQueued{},      NodeStarted{},
          StageStarted{},  StageProgress{},   StageFinished{},   StageRetrying{},
          LockWaiting{},   EarlierResolved{}, NodeRolledBack{},  NodeFinished{},
          LogLine{},       Heartbeat{},       CancelRequested{}, WebhookDelivered{},
          WebhookFailed{}, RunFinished{}};
}

Event event_of(Payload payload, Subject subject) {
  Event event;
  event.sequence = 7;
  event.time = *parse_time("2026-03-01T12:00:00.123Z");
  event.run = "0195510e-8c00-7000-8000-0123456789ab";
  event.message = describe(payload, subject);
  event.subject = std::move(subject);
  event.payload = std::move(payload);
  return event;
}

} // namespace belay::event::test
