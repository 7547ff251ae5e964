# SPDX-License-Identifier: Apache-2.0
"""What a run says of itself, held to the contract and to the host's own truth."""

import os
import pathlib
import re
import subprocess

from .runner import binary, wait_until

OUTCOMES = {"success", "failure", "error", "cancelled", "skipped"}


def equal(seen, expected, what):
    assert seen == expected, f"{what}\n  expected: {expected!r}\n  seen:     {seen!r}"


def ended(run, code):
    """The run ended with this code, and its reports are whole and agree with one another."""
    equal(run.exit_code, code, "exit code")
    equal(run.stdout, "", "stdout of `belay run`")
    events = run.events()
    equal([event["seq"] for event in events], list(range(1, len(events) + 1)), "seq")
    equal({event["v"] for event in events}, {1}, "v")
    equal(len({event["run"] for event in events}), 1, "run ids")
    equal(events[0]["type"], "run.started", "first event")
    equal(events[-1]["type"], "run.finished", "last event")
    equal(events[-1]["data"]["exit_code"], code, "run.finished: exit_code")
    assert all(event["msg"] and "\n" not in event["msg"] for event in events), "msg: one line"
    _every_stage_ends_once(run, events)
    _junit_agrees(run, events[-1]["data"])
    _report_tells_the_same(run)
    return run


def _every_stage_ends_once(run, events):
    for resolved in run.select("plan.resolved"):
        for node in resolved["data"]["nodes"]:
            outcome = run.node(node["id"])["outcome"]
            assert outcome in OUTCOMES, outcome
            for profile in node["profiles"]:
                for stage in profile["stages"]:
                    ends = [event for event in events if event["type"] == "stage.finished"
                            and (event.get("node"), event.get("profile"), event.get("stage"))
                            == (node["id"], profile["name"], stage)]
                    if outcome != "skipped" or ends:
                        equal(len(ends), 1, f"stage.finished of {node['id']!r} "
                              f"{profile['name']!r} {stage}")


def _junit_agrees(run, finished):
    junit = run.out / "junit.xml"
    lint = subprocess.run(["xmllint", "--noout", junit], capture_output=True, text=True,
                          check=False)
    equal(lint.stderr, "", "xmllint")
    cases = run.cases()
    assert ("(plan)", "load") in cases, f"no suite (plan): {cases}"
    for node in finished["nodes"]:
        verdicts = [verdict.split()[0] for (suite, _), verdict in cases.items()
                    if suite == node["id"]]
        red = "error" in verdicts or "failure" in verdicts
        should_be = node["outcome"] in ("failure", "error")
        assert red == should_be or node["outcome"] == "cancelled", \
            f"JUnit of {node['id']!r} ({node['outcome']}): {verdicts}"
        assert node["outcome"] == "skipped" or verdicts, f"no testcase of {node['id']!r}"


def _report_tells_the_same(run):
    """`belay report` makes from the saved events what the run itself made."""
    again = run.out / "again.xml"
    report = subprocess.run([binary(), "report", "--from", run.out / "events.jsonl", "--junit",
                             again], check=False, capture_output=True)
    equal(report.returncode, run.exit_code, "exit code of `belay report`")
    equal(again.read_text(), (run.out / "junit.xml").read_text(), "JUnit made again")


def _profiles(host, profile, user):
    """Where deploy-rs keeps profiles: root's `system` is the one of the machine, and a user without
    a folder among Nix's own has them in his home."""
    if (profile, user) == ("system", "root"):
        return host.path("/nix/var/nix/profiles")
    home = host.path(f"/home/{user}/.local/state/nix/profiles")
    return home if home.exists() else host.path(f"/nix/var/nix/profiles/per-user/{user}")


def installed(host, profile="system", user="root"):
    """(generation, version) that the profile link names on the host; None without a link."""
    folder = _profiles(host, profile, user)
    if not os.path.lexists(folder / profile):
        return None
    generation = os.readlink(folder / profile)
    number = int(re.fullmatch(rf"{profile}-(\d+)-link", generation).group(1))
    return number, os.readlink(folder / generation).rpartition("-app-")[2]


def generations(host, profile="system", user="root"):
    names = [path.name for path in _profiles(host, profile, user).iterdir()]
    return sorted(int(match.group(1)) for name in names
                  if (match := re.fullmatch(rf"{profile}-(\d+)-link", name)))


def activated(host):
    """The versions whose scripts ran, in order."""
    return host.read("/var/lib/activated").split()


def runs(host, generation, version, history):
    """The host's own truth: what its link names, and every activation that ever ran on it."""
    equal(installed(host), (generation, version), f"{host.name}: profile")
    equal(activated(host), history.split(), f"{host.name}: activations")


def untouched(host):
    equal(installed(host), None, f"{host.name}: profile")
    equal(activated(host), [], f"{host.name}: activations")


def agents(host):
    return [arguments for arguments in host.processes().values() if "belay-agent" in arguments]


def quiet(host, seconds=10):
    """No process of belay or of a script is left on the host."""
    wait_until(lambda: not agents(host), f"{host.name}: no agent left, but {agents(host)}", seconds)


def rolled_back(run, host, trigger, number, to):
    """The events tell a verified rollback from generation `number` to `to`."""
    told = run.select("node.rolled_back", node=host.name)
    equal(len(told), 1, f"node.rolled_back of {host.name}")
    equal({name: told[0]["data"][name] for name in ("from", "to", "trigger", "verified")},
          {"from": number, "to": to, "trigger": trigger, "verified": True}, "node.rolled_back")
    node = run.node(host.name)
    equal((node["outcome"], node["rollback"], node["generation_after"]),
          ("failure", "succeeded", to), "node.finished")
    reds = {verdict for (suite, _), verdict in run.cases().items()
            if suite == host.name and verdict.startswith(("failure", "error"))}
    equal(reds, {"failure rolled-back"}, f"JUnit of {host.name}")


def reachable(host, user="root"):
    """One can log in again, the way that the runner does."""
    login = subprocess.run(["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5",
                            f"{user}@{host.name}", "true"], capture_output=True, text=True,
                           check=False)
    equal((login.returncode, login.stderr), (0, ""), f"ssh {host.name}")


def masked(run, secret, *others):
    """The host told it, and none of the reports does, nor any other file; where it stood is seen."""
    for path in [*run.out.iterdir(), *others]:
        text = path.read_text(errors="replace")
        assert secret not in text, f"the secret is in {path.name}"
        assert "***" in text, f"{path.name} does not show where it stood"
    assert secret not in run.stdout, "the secret is in the output"


def in_no_process(secret):
    """Neither an argument nor the environment of any process here or on a host holds it, but for our
    own and that of the init which has them all."""
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        for name in ["cmdline", "environ"]:
            try:
                held = (process / name).read_bytes()
            except OSError:
                continue
            ours = process.name in (str(os.getpid()), "1")
            assert ours or secret.encode() not in held, f"the secret is in {process}/{name}"
