// SPDX-License-Identifier: Apache-2.0
#include "engine/base/file.h"
#include "engine/base/text.h"
#include "engine/plan/plan_file.h"
#include "tests/catch.h"

#include <map>

namespace belay::plan {
namespace {

const std::string ed25519 =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIPLIzYBdbkSvjZKxxmpYG0rxGEdOxzfrhtpkQiSTYwt";

struct Loaded {
  PlanFile file;
  std::string lines;
};

Loaded load(const std::string& text, const std::string& name = "belay.yaml") {
  Diagnostics problems;
  Loaded loaded{parse_plan_file(text, name, problems), {}};
  for (const Diagnostic& problem : problems) {
    loaded.lines += problem.line_text() + "\n";
  }
  return loaded;
}

/// The problems of a file that is right but for `rest`, which begins in line 2.
std::string problems_of(const std::string& rest) {
  return load("version: 1\n" + rest).lines;
}

} // namespace

TEST_CASE("a whole plan file is read") {
  const Loaded loaded = load(R"(version: 1
flake: .
environment: production
parallel: 6
limits: {evaluate: 2, build: 3, copy: 4, activate: 5}
settings: {sshUser: deploy, magicRollback: true, confirmTimeout: 45, sshOpts: ["-p", "22"]}
nodes:
  web-1:
    hostname: web-1.internal
    hostKey: ")" + ed25519 + R"( root@web-1"
    extraSshOpts: ["-4"]
    bootDefault: withActivation
    profiles: {system: {activationTimeout: 600, profilePath: /p, bootDefault: afterConfirm}}
  old-db: {skip: true}
  "name with ${x} 'and' \"y\"":
onFailure: continue
rollbackSucceeded: true
grace: 20
lockWait: 90
deadline: 3600
reports: {events: out/events.jsonl, junit: out/junit.xml}
webhooks:
  - {urlEnv: DEPLOY_HOOK, secretEnv: DEPLOY_HOOK_SECRET, events: [run.*, node.rolled_back]}
  - {url: "http://127.0.0.1:1/x", allowHttp: true, timeout: 3}
)");
  CHECK(loaded.lines.empty());
  const PlanFile& file = loaded.file;
  CHECK(file.targets == std::vector<std::string>{"."});
  CHECK(file.environment == "production");
  CHECK(file.parallel == 6);
  CHECK(file.limit_evaluate == 2);
  CHECK(file.limit_build == 3);
  CHECK(file.limit_copy == 4);
  CHECK(file.limit_activate == 5);
  CHECK(file.settings.ssh_user == "deploy");
  CHECK(file.settings.magic_rollback == true);
  CHECK(file.settings.confirm_timeout == Seconds(45));
  CHECK(file.settings.ssh_opts == std::vector<std::string>{"-p", "22"});
  REQUIRE(file.nodes.size() == 3);
  const NodeOverride& web = file.nodes.at("web-1");
  CHECK(web.hostname == "web-1.internal");
  CHECK(web.host_key == ed25519);
  CHECK(web.mark.line == 8);
  CHECK(web.mark.column == 3);
  CHECK(web.settings.extra_ssh_opts == std::vector<std::string>{"-4"});
  CHECK(web.profiles.at("system").settings.activation_timeout == Seconds(600));
  CHECK(web.profiles.at("system").profile_path == "/p");
  CHECK(web.settings.boot_default == BootDefault::with_activation);
  CHECK(web.profiles.at("system").settings.boot_default == BootDefault::after_confirm);
  CHECK(file.nodes.at("old-db").skip == true);
  CHECK(file.nodes.contains("name with ${x} 'and' \"y\""));
  CHECK(file.on_failure == OnFailure::proceed);
  CHECK(file.rollback_succeeded == true);
  CHECK(file.grace == Seconds(20));
  CHECK(file.lock_wait == Seconds(90));
  CHECK(file.deadline == Seconds(3600));
  CHECK(file.reports.events == "out/events.jsonl");
  REQUIRE(file.webhooks.size() == 2);
  CHECK(file.webhooks[0].url_env == "DEPLOY_HOOK");
  CHECK(file.webhooks[0].secret_env == "DEPLOY_HOOK_SECRET");
  CHECK(file.webhooks[0].events == std::vector<std::string>{"run.*", "node.rolled_back"});
  CHECK(file.webhooks[0].line == 23);
  CHECK(file.webhooks[1].allow_http);
  CHECK(file.webhooks[1].timeout == Seconds(3));
}

TEST_CASE("every problem is one line, all at once") {
  CHECK(load("version: 1\n"
             "paralel: 8\n"
             "environment: [a]\n"
             "nodes: {web: {hostnam: x, confirmTimeout: soon}}\n")
            .lines ==
        "belay.yaml:2:1: error: unknown key \"paralel\"; did you mean \"parallel\"?\n"
        "belay.yaml:3:14: error: key \"environment\": expected text, found a list\n"
        "belay.yaml:4:15: error: unknown key \"hostnam\" in node \"web\"; did you mean "
        "\"hostname\"?\n"
        "belay.yaml:4:43: error: key \"confirmTimeout\" in node \"web\": expected a whole number "
        "from 0 to 65535, found the text \"soon\"\n");
}

TEST_CASE("single mistakes and what is said about them") {
  const std::map<std::string, std::string> table{
      {"parallel: 0", "2:11: error: key \"parallel\": expected a whole number from 1 to 10000, "
                      "found 0"},
      {"parallel: -1", "found -1"},
      {"parallel: 99999999999999999999", "found 99999999999999999999"},
      {"parallel: 1.5", "found the number 1.5"},
      {"parallel: \"8\"", "found the text \"8\"; write it without quotes"},
      {"parallel: true", "found true"},
      {"parallel:", "found nothing"},
      {"limits: {copy: 0}", "2:16: error: key \"copy\" in limits: expected a whole number"},
      {"limits: {cpy: 1}", "unknown key \"cpy\" in limits; did you mean \"copy\"?"},
      {"limits: 3", "key \"limits\": expected a map of keys, found the number 3"},
      {"rollbackSucceeded: \"true\"", "expected true or false, found the text \"true\"; write true "
                                      "or false, without quotes"},
      {"rollbackSucceeded: yes", "expected true or false, found the text \"yes\""},
      {"rollbackSucceeded: 1", "expected true or false, found the number 1"},
      {"environment: 42", "expected text, found the number 42; write \"42\" in quotes"},
      {"environment: a b", "a label has 1 to 64 letters"},
      {"environment: \"\"", "a label has 1 to 64 letters"},
      {"settings: {bootDefault: always}",
       "expected withActivation or afterConfirm, found \"always\""},
      {"settings: {transport: paramiko}",
       "expected auto or libssh2 or openssh, found \"paramiko\""},
      {"onFailure: ignore", "expected stop or continue, found \"ignore\""},
      {"settings: {sshOpts: -p 22}", "key \"sshOpts\" in settings: expected a list of texts"},
      {"settings: {sshOpts: [\"-p\", 22]}", "expected text, found the number 22; write \"22\""},
      {"settings: {confirmTimeout: 65536}", "from 0 to 65535, found 65536"},
      {"settings: {user: \"a\\0b\"}", "a NUL character is not allowed"},
      {"nodes: [web]", "key \"nodes\": expected a map of keys, found a list"},
      {"nodes: {web: true}", "key \"web\" in nodes: expected a map of keys, found true"},
      {"nodes: {web: {profiles: {system: {confirmTimeot: 1}}}}",
       "unknown key \"confirmTimeot\" in profile \"system\" of node \"web\"; did you mean "
       "\"confirmTimeout\"?"},
      {"nodes: {web: {hostname: -oProxyCommand=x}}", "begin with a dash"},
      {"nodes: {web: {hostKey: AAAA}}", "expected TYPE KEY"},
      {"nodes: {web: {hostKey: ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIA==}}",
       "this is no whole key of type ssh-rsa"},
      {"nodes: {web: {hostKey: ssh-ed25519 AAAA…}}", "this is no whole key of type ssh-ed25519"},
      {"nodes: {web: {}, web: {}}", "key \"web\" in nodes is there twice"},
      {"nodes: {[a]: {}}", "a key must be text"},
      {"nodes: {web: {profiles: {system: {profilePath: x}}}}", "expected an absolute path"},
      {"webhooks: {url: x}", "key \"webhooks\": expected a list, found a map"},
      {"webhooks: [{}]", "2:12: error: webhook 1: expected exactly one of url, urlEnv and urlFile, "
                         "found none"},
      {"webhooks: [{url: \"https://x\", urlEnv: X}]", "found 2"},
      {"webhooks: [{url: \"http://x\"}]", "url is not https; write allowHttp: true"},
      {"webhooks: [{url: \"ftp://x\"}]", "expected a URL that begins with https://"},
      {"webhooks: [{url: \"https://\"}]", "expected a URL with a host"},
      {"webhooks: [{urlEnv: \"A B\"}]", "expected the name of an environment variable"},
      {"webhooks: [{urlEnv: A, secretEnv: A, secretFile: b}]", "found both"},
      {"settings: {sudoPasswordEnv: A, sudoPasswordFile: b}", "found both"},
      {"nodes: {n: {profiles: {p: {sudoPasswordFile: b, sudoPasswordEnv: A}}}}", "found both"},
      {"settings: {sudoPasswordEnv: my secret}", "sudoPasswordEnv"},
      {"webhooks: [{urlEnv: A, secret: b}]", "unknown key \"secret\" in webhook 1"},
      {"webhooks: [{urlEnv: A, timeout: 0}]", "from 1 to 60, found 0"},
      {"flake: .\ntargets: [.#a]", "both flake and targets are there; keep one of them"},
      {"flake: .#web", "to deploy a part of it write targets: [\".#web\"]"},
      {"flake: \"\"", "key \"flake\": "},
      {"targets: []", "the list is empty"},
      {"targets: [.#a.b.c]", "it has 3 parts, at most two"},
      {"version: 1", "key \"version\" is there twice"},
      {"parallel: !!int 3", "YAML tags such as tag:yaml.org,2002:int are not supported"},
  };
  for (const auto& [yaml, expected] : table) {
    INFO(yaml);
    const std::string lines = problems_of(yaml + "\n");
    INFO(lines);
    CHECK(lines.find(expected) != std::string::npos);
    CHECK(split(lines, '\n').size() == 2); // one line and what follows its end
  }
}

TEST_CASE("the version is asked for") {
  CHECK(load("flake: .\n").lines ==
        "belay.yaml:1:1: error: the key \"version\" is missing; add version: 1\n");
  CHECK(load("version: 2\n").lines == "belay.yaml:1:10: error: key \"version\": expected 1, found "
                                      "the number 2; this belay reads version 1 only\n");
  CHECK(load("version: \"1\"\n").lines.find("found the text \"1\"") != std::string::npos);
}

TEST_CASE("what is no plan at all is one problem") {
  for (const std::string text :
       {"", "# nothing\n", "- a\n", "text", "a: [1", "version: 1\n\tparallel: 2\n", "a: b: c",
        "version: 1\n---\nversion: 1\n", "{", "*x", "\"", "version: 1\nx: &a [*a]\n"}) {
    INFO(text);
    const std::string lines = load(text).lines;
    INFO(lines);
    CHECK(split(lines, '\n').size() == 2);
    CHECK(lines.starts_with("belay.yaml:"));
  }
}

TEST_CASE("a file that is not UTF-8 is refused where it is not") {
  CHECK(load("version: 1\nflake: \"na\xefve\"\n").lines ==
        "belay.yaml:2:11: error: the file is not valid UTF-8 here; save it as UTF-8\n");
  CHECK(load("\xff\n").lines.starts_with("belay.yaml:1:1: error: the file is not valid UTF-8"));
  CHECK(load("version: 1 # na\xc3\xafve\n").lines.empty());
}

TEST_CASE("a webhook that is wrong somewhere is left out") {
  const Loaded loaded = load("version: 1\nwebhooks:\n  - {urlEnv: A, secretEnv: [x]}\n"
                             "  - {urlEnv: B}\n  - {urlEnv: C, secret: x}\n");
  CHECK(split(loaded.lines, '\n').size() == 3);
  CHECK(loaded.lines.find("webhook 3") != std::string::npos);
  REQUIRE(loaded.file.webhooks.size() == 1);
  CHECK(loaded.file.webhooks[0].url_env == "B");
}

TEST_CASE("empty sections say nothing, and anchors work") {
  CHECK(problems_of("settings:\nnodes:\nlimits:\nwebhooks:\nreports:\n").empty());
  const Loaded loaded = load("version: 1\nnodes: {a: &x {sshUser: u}, b: *x}\n");
  CHECK(loaded.lines.empty());
  CHECK(loaded.file.nodes.at("b").settings.ssh_user == "u");
}

TEST_CASE("paths are relative to the file") {
  const Loaded loaded =
      load("version: 1\n"
           "targets: [., \"#a\", .#b, ../x#c, \"./y?dir=z#d\", \"path:./p\", nixpkgs, /abs#e, "
           "\"github:a/b\"]\n"
           "reports: {events: e.jsonl, junit: /j.xml}\n"
           "settings: {sudoPasswordFile: s}\n"
           "nodes: {n: {sudoPasswordFile: n, profiles: {p: {sudoPasswordFile: ../p}}}}\n"
           "webhooks: [{urlFile: u, secretFile: ../s}]\n",
           "ci/belay.yaml");
  CHECK(loaded.lines.empty());
  CHECK(loaded.file.targets == std::vector<std::string>{"./ci", "./ci#a", "./ci#b", "./x#c",
                                                        "./ci/y?dir=z#d", "path:./ci/p", "nixpkgs",
                                                        "/abs#e", "github:a/b"});
  CHECK(loaded.file.reports.events == "ci/e.jsonl");
  CHECK(loaded.file.reports.junit == "/j.xml");
  CHECK(loaded.file.settings.sudo_password_file == "ci/s");
  const auto& node = loaded.file.nodes.at("n");
  CHECK(node.settings.sudo_password_file == "ci/n");
  CHECK(node.profiles.at("p").settings.sudo_password_file == "p");
  CHECK(loaded.file.webhooks[0].url_file == "ci/u");
  CHECK(loaded.file.webhooks[0].secret_file == "s");
  CHECK(load("version: 1\nreports: {events: \"-\"}\n", "ci/b.yaml").file.reports.events == "-");
  CHECK(load("version: 1\nreports: {events: \"fd:3\"}\n", "ci/b.yaml").file.reports.events ==
        "fd:3");
  CHECK(load("version: 1\nflake: .\n", "/a/b.yaml").file.targets == std::vector<std::string>{"/a"});
  CHECK(load("version: 1\nflake: .\n", "a#b/c.yaml").lines.find("folder with # or ?") !=
        std::string::npos);
}

TEST_CASE("a file that is not there is a problem") {
  Diagnostics problems;
  load_plan_file("/nonexistent/belay.yaml", problems);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].line_text().starts_with(
      "/nonexistent/belay.yaml: error: the plan file cannot be read: "));
}

TEST_CASE("a file is read from disk") {
  const TemporaryDirectory folder("/tmp/belay-plan-test.");
  const std::string path = (folder.path() / "belay.yaml").string();
  replace_file(path, "version: 1\nenvironment: staging\n");
  Diagnostics problems;
  CHECK(load_plan_file(path, problems).environment == "staging");
  CHECK(problems.empty());
}

} // namespace belay::plan
