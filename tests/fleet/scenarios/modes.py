# SPDX-License-Identifier: Apache-2.0
"""`--dry-activate` changes nothing on any host, whatever happens; `--boot` leaves alone what runs."""

from fleet import check
from fleet.flake import Expression, node, package, system, to_nix
from fleet.fleet import hosts
from fleet.runner import deploy, start, wait_until
from scenarios.boot import BOOT_FAILS, state

DRY = """\
if [ "$DRY_ACTIVATE" = 1 ]; then
  test "$PWD" = "$PROFILE" && test "$BOOT" = 0
  echo "would activate VERSION"
  SCRIPT
  exit 0
fi
echo VERSION >>/var/lib/activated
"""


def modal(version, script=":"):
    """A closure that knows dry runs, as deploy-rs's lib makes it."""
    text = DRY.replace("VERSION", version).replace("SCRIPT", script)
    return Expression(f"package {to_nix('app-' + version)} {to_nix(text)} null")


@hosts(2)
def dry_run(fleet):
    """One script says what it would do, another one fails: red, and nobody is touched or taken back."""
    check.ended(deploy({host.name: node(host, package("one")) for host in fleet}), 0)
    run = check.ended(deploy({"web-1": node(fleet["web-1"], modal("two")),
                              "web-2": node(fleet["web-2"], modal("two", "exit 4"))},
                             "--dry-activate", "--on-failure", "continue",
                             "--rollback-succeeded", "true"), 10)
    check.equal(run.node("web-1")["outcome"], "success", "web-1")
    check.equal(run.node("web-2")["outcome"], "failure", "web-2")
    check.equal(run.select("node.rolled_back"), [], "rollbacks")
    check.equal(run.select("plan.resolved")[0]["data"]["mode"], "dry-activate", "mode")
    assert "| would activate two" in run.console(), "what the script said"
    assert "dry run" in run.console() and "deployed" not in run.console(), run.console()
    for host in fleet:
        check.runs(host, 1, "one", "one")
        check.quiet(host)


def kill_agents(host):
    """Returns whom it met: one of them may have had the time to start another."""
    agents = [str(pid) for pid, arguments in host.processes().items() if "belay-agent" in arguments]
    if agents:
        host.run("kill", "-KILL", *agents)
    return agents


@hosts(1)
def dry_run_after_a_dead_deploy(fleet):
    """To undo what a dead deploy left is no dry run's business: it says who it was, the next run ends it."""
    [web] = fleet
    check.ended(deploy({"web-1": node(web, package("one"))}), 0)
    dead = start({"web-1": node(web, package("two", "sleep 300\n"))})
    wait_until(lambda: "two" in check.activated(web), "the script runs")
    dead.kill().wait()
    wait_until(lambda: not kill_agents(web), "nobody keeps it any more")
    run = check.ended(deploy({"web-1": node(web, modal("three"))}, "--dry-activate"), 15)
    said = f"an unfinished deploy of run {dead.events()[0]['run']}"
    assert said in run.console() and "a real run, or belay-agent recover" in run.console(), \
        run.console()
    check.runs(web, 2, "two", "one two")
    check.equal(run.select("earlier.resolved"), [], "earlier.resolved of the dry run")
    run = check.ended(deploy({"web-1": node(web, modal("three"))}), 0)
    check.equal(len(run.select("earlier.resolved")), 1, "earlier.resolved of the real run")
    assert "warning: web-1/system lock: an earlier deploy (run" in run.console(), run.console()
    check.runs(web, 2, "three", "one two one three")


@hosts(1)
def dry_run_of_a_system(fleet):
    """A closure whose deploy-rs-activate knows no dry runs, but which has switch-to-configuration."""
    [web] = fleet
    check.ended(deploy({"web-1": node(web, system("one"))}), 0)
    run = check.ended(deploy({"web-1": node(web, system("two"))}, "--dry-activate"), 0)
    check.equal(check.activated(web), "one:switch two:dry-activate".split(), "scripts")
    check.equal(state(web), ("one", "one", "one"), "what runs, is set, is booted")
    check.equal(run.node("web-1")["changed"], False, "changed")


@hosts(1)
def dry_run_on_a_new_host(fleet):
    [web] = fleet
    check.ended(deploy({"web-1": node(web, modal("one"))}, "--dry-activate"), 0)
    check.untouched(web)
    run = check.ended(deploy({"web-1": node(web, package("one"))}, "--dry-activate"), 10)
    assert "DRY_ACTIVATE" in run.console(), "a script that would activate is refused by name"
    check.untouched(web)
    check.quiet(web)


@hosts(1)
def for_the_next_boot(fleet):
    [web] = fleet
    check.ended(deploy({"web-1": node(web, system("one"))}), 0)
    run = check.ended(deploy({"web-1": node(web, system("two"))}, "--boot"), 0)
    check.equal(state(web), ("one", "two", "two"), "what runs, is set, is booted")
    check.equal(check.activated(web), "one:switch two:boot".split(), "scripts")
    assert "activated for next boot" in run.console() and "deployed" not in run.console(), "console"
    check.equal(run.select("stage.finished", stage="confirm"), [], "confirm")

    run = check.ended(deploy({"web-1": node(web, system("three", BOOT_FAILS))}, "--boot"), 11)
    check.rolled_back(run, web, "activation", 3, 2)
    check.equal(state(web), ("one", "two", "two"), "what runs, is set, is booted")
    check.equal(check.activated(web), "one:switch two:boot three:boot two:boot".split(), "scripts")
    check.quiet(web)


@hosts(2)
def boot_is_taken_back(fleet):
    """Another node fails: the old generation is booted again, and nothing that runs is restarted."""
    check.ended(deploy({host.name: node(host, system("one")) for host in fleet}), 0)
    run = check.ended(deploy({"web-1": node(fleet["web-1"], system("two")),
                              "web-2": node(fleet["web-2"], system("two", BOOT_FAILS))},
                             "--boot", plan="version: 1\nlimits: {activate: 1}\n"), 11)
    check.rolled_back(run, fleet["web-1"], "run-failed", 2, 1)
    for host in fleet:
        check.equal(check.activated(host), "one:switch two:boot one:boot".split(), "scripts")
        check.equal(state(host), ("one", "one", "one"), "what runs, is set, is booted")
