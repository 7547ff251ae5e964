#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plays one seed of the fault campaign on hosts of its own: seed.py NUMBER."""

import dataclasses
import os
import pathlib
import sys
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "fleet"))

# pylint: disable=wrong-import-position
from chaos import clock, draw, faults, promise, target, verdict
from chaos.place import DISK, Place
from fleet import check, flake, runner, world
from fleet.fleet import Fleet
from fleet.flake import node
from fleet.host import Host
from scenario import tell_all

SETTINGS = {"confirmTimeout": 4, "activationTimeout": 5}


class TriedHost(Host):
    """Its /nix can be filled, its clock stepped."""

    def _lay_out(self):
        super()._lay_out()
        clock.give_host(self)
        world.run("mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0755", "nix",
                  self.path("/nix"))


@dataclasses.dataclass
class Before:
    version: str
    generations: dict


def main():
    case = draw.draw(int(sys.argv[1]))
    os.environ["BELAY_BIN"] = os.path.abspath(
        os.environ.get("BELAY_BIN", world.REPOSITORY / "build/dev/bin/belay"))
    world.enter(keep=[pathlib.Path(os.environ["BELAY_BIN"]).parent])
    print(case.words(), flush=True)
    clock.give_runner()
    fleet = Fleet(len(case.hosts), make_host=TriedHost)
    try:
        play(case, fleet)
    except Exception:
        tell_all(fleet)
        print(case.words())
        traceback.print_exc()
        sys.exit(1)


def good(version):
    return target.tried(version, draw.MEND)


def make_past(case, fleet):
    """The hosts as they are before; what each has is what its deploy must go back to."""
    for version in ("one", "two"):
        having = {host.name: node(host, good(version)) for host, plan in zip(fleet, case.hosts)
                  if plan.past != "none" and (version == "one" or "two" in plan.past)}
        if having:
            check.ended(runner.deploy(having, **SETTINGS), 0)
    for host, plan in zip(fleet, case.hosts):
        if plan.past == "back to one of two":
            profile = "/nix/var/nix/profiles/system"
            host.output("nix-env", "-p", profile, "--switch-generation", "1")
            host.output("env", f"PROFILE={profile}", f"{profile}/deploy-rs-activate")


def wanted(case, fleet, version):
    nodes = {}
    for host, plan in zip(fleet, case.hosts):
        path = (good(check.installed(host)[1]) if plan.same
                else target.tried(version, draw.SCRIPTS[plan.script]))
        nodes[host.name] = node(host, path)
    return nodes


def start(case, nodes, number):
    folder = flake.write(runner.FOLDER / f"flake-{number}", nodes, **SETTINGS,
                         magicRollback=case.magic)
    return runner.Run(folder, "--on-failure", case.on_failure, "--transport", case.transport)


def play(case, fleet):
    runner.PATIENCE = 240  # the machine may be busy with other seeds
    make_past(case, fleet)
    before = {host.name: Before((check.installed(host) or (0, None))[1], target.generations(host))
              for host in fleet}
    nodes = wanted(case, fleet, "new")
    rival_nodes = {host.name: node(host, good("rival")) for host in fleet}
    place = Place(fleet)
    rivals = faults.Rivals(lambda number: start(case, rival_nodes, f"rival-{number}"))
    run = start(case, nodes, "main")
    attacks = [faults.Attack(fault, place, run, rivals.start) for fault in case.faults]
    for attack in attacks:
        attack.start()
    ended = run.wait()
    for attack in attacks:
        attack.join(20)
        attack.done.set()
        attack.join()
        if attack.error:
            raise attack.error
    place.put_right()
    rivals.wait()
    main_versions = {host.name: before[host.name].version if plan.same else "new"
                     for host, plan in zip(fleet, case.hosts)}
    rival_versions = {host.name: "rival" for host in fleet}
    judge(case, fleet, before,
          [(ended, main_versions), *((one, rival_versions) for one in rivals.runs)])


def judge(case, fleet, before, runs):
    for number, host in enumerate(fleet):
        target.settle(host, case.may_be_orphans(number))
    now = {host.name: verdict.host_is_whole(
        host, before[host.name], {versions[host.name] for _, versions in runs}) for host in fleet}
    for run, _ in runs:
        verdict.reports_are_whole(run)
    for number, host in enumerate(fleet):
        judge_host(case, number, host, before[host.name], now[host.name], runs)
    deploy_after(fleet)
    print("held:", now, flush=True)
    print("ended:", *[run.exit_code for run, _ in runs], flush=True)


def judge_host(case, number, host, before, now, runs):
    faulty, ends = case.on(number), {}
    for run, versions in runs:
        mine = versions[host.name]
        story = verdict.Story(run, host, before.version, now, mine,
                              {theirs[host.name] for _, theirs in runs} - {mine}
                              | ({"rival"} if len(runs) > 2 else set()))
        verdict.told_the_truth(story, may_be_unknown=bool(faulty & draw.HIDES),
                               may_fail_to_go_back="fill disk" in faulty,
                               forgets="step clock" in faulty)
        ends[mine] = ends.get(mine, set()) | story.states
        if run is runs[0][0]:
            promise.kept(case, number, story)
    if "fill disk" not in faulty:
        verdict.no_failed_generation_stays(host, before, now, ends)


def deploy_after(fleet):
    after = {host.name: node(host, good("after")) for host in fleet}
    check.ended(runner.deploy(after, **SETTINGS), 0)
    for host in fleet:
        check.equal(check.installed(host)[1], "after", f"{host.name}: the next deploy")
        check.equal(target.steps(host)[-1], "end after", f"{host.name}: the next deploy")


if __name__ == "__main__":
    main()
