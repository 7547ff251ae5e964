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
from fleet.flake import node, profile
from fleet.host import Host
from scenario import tell_all

SETTINGS = {"confirmTimeout": 4, "activationTimeout": 5}


class TriedHost(Host):
    """Its /nix can be filled, its clock stepped."""

    def _lay_out(self):
        super()._lay_out()
        clock.give_host(self)
        target.give_agent(self)
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


def package(version, profile, script=draw.MEND):
    return target.tried(target.named(version, profile), script)


def deploying(case, version, hosts, script_of):
    """The nodes of a flake; `script_of` gives a script by host's plan and profile."""
    return {host.name: node(host, profiles={
        name: profile(package(version, name, script_of(plan, name)))
        for name in case.profiles(number)}) for number, (host, plan) in enumerate(
            zip(hosts, case.hosts)) if host}


def past_script(plan, _):
    return draw.MEND + draw.PAST_SCRIPTS[plan.back]


def make_past(case, fleet):
    """The hosts as they are before; what each has is what its deploy must go back to."""
    for version in ("one", "two"):
        having = [host if plan.past != "none" and (version == "one" or "two" in plan.past) else None
                  for host, plan in zip(fleet, case.hosts)]
        if any(having):
            check.ended(runner.deploy(deploying(case, version, having, past_script), **SETTINGS), 0)
    for number, (host, plan) in enumerate(zip(fleet, case.hosts)):
        for name in case.profiles(number) if plan.past == "back to one of two" else ():
            link = f"{target.FOLDERS[name]}/{name}"
            host.output("nix-env", "-p", link, "--switch-generation", "1")
            host.output("env", f"PROFILE={link}", f"{link}/deploy-rs-activate")


def wanted(case, fleet):
    """Nodes of the deploy under attack."""
    nodes = deploying(case, "new", fleet, lambda plan, name: draw.SCRIPTS[
        plan.script if name == "system" else plan.home])
    for host, plan in zip(fleet, case.hosts):
        if plan.same:
            nodes[host.name]["profiles"]["system"] = profile(package(
                target.version(host, "system"), "system", past_script(plan, "system")))
    return nodes


def start(case, nodes, number, *arguments):
    folder = flake.write(runner.FOLDER / f"flake-{number}", nodes, **SETTINGS,
                         magicRollback=case.magic, autoRollback=case.auto)
    return runner.Run(folder, "--on-failure", case.on_failure, "--transport", case.transport,
                      *arguments)


def play(case, fleet):
    runner.PATIENCE = 240  # the machine may be busy with other seeds
    make_past(case, fleet)
    before = {(host.name, name): Before(target.version(host, name), target.generations(host, name))
              for number, host in enumerate(fleet) for name in case.profiles(number)}
    rival_nodes = deploying(case, "rival", fleet, lambda *_: draw.MEND)
    place = Place(fleet)
    rivals = faults.Rivals(lambda number: start(case, rival_nodes, f"rival-{number}"))
    run = start(case, wanted(case, fleet), "main",
                *(["--deadline", str(case.deadline)] if case.deadline else []))
    attacks = [faults.Attack(fault, place, run, rivals.start) for fault in case.faults]
    for attack in attacks:
        attack.start()
    run.wait()
    for attack in attacks:
        attack.join(20)
        attack.done.set()
        attack.join()
        if attack.error:
            raise attack.error
    place.put_right()
    rivals.wait()
    for number, host in enumerate(fleet):
        target.settle(host, case.may_be_orphans(number))
        check.reachable(host)  # shut out and without a keeper, it waits for the next boot
        target.is_quiet(host)
    for one in [run, *rivals.runs]:
        verdict.reports_are_whole(one, one is run and case.is_hurried())
    for number, host in enumerate(fleet):
        for name in case.profiles(number):
            foreign = host.name in place.set_on and name == "system"
            judge(case, number, host, name, before[host.name, name], run, rivals.runs, foreign)
    deploy_after(case, fleet)
    print("held:", {host.name: target.version(host, "system") for host in fleet}, flush=True)
    print("ended:", *[one.exit_code for one in [run, *rivals.runs]], flush=True)


def judge(case, number, host, name, before, run, rivals, foreign):
    faulty = case.on(number)
    main = (before.version if case.hosts[number].same and name == "system"
            else target.named("new", name))
    rival = target.named("rival", name)
    ends = {main: target.states(host, run)[name]}
    ends[rival] = set().union(*(target.states(host, one)[name] for one in rivals))
    foreigner = {"foreign"} if foreign else set()
    now = verdict.profile_is_whole(
        host, name, before, {main, *({rival} if rivals else ()), *foreigner},
        may_be_half={"failed", "rollback-failed"} & set().union(*ends.values()))
    for one in [run, *rivals]:
        mine, others = (main, {rival} if rivals else set()) if one is run else (rival, {main})
        if len(rivals) > 1:
            others.add(rival)
        story = verdict.Story(one, host, name, before.version, now, mine, others | foreigner)
        verdict.told_the_truth(
            story, may_be_unknown=bool(faulty & draw.HIDES) or case.deadline, may_fail=not case.auto,
            may_fail_to_go_back="fill disk" in faulty or case.hosts[number].back != "good",
            forgets="step clock" in faulty)
        if not story.others and len(case.profiles(number)) == 1:
            verdict.told_the_generation(story)
        if one is run:
            promise.kept(case, number, story)
    if foreign and not rivals:
        verdict.nobody_was_overruled(host, now, before.version, main)
    if "fill disk" not in faulty:
        verdict.no_failed_generation_stays(host, name, before, now, ends)


def deploy_after(case, fleet):
    nodes = deploying(case, "after", fleet, lambda *_: draw.MEND)
    check.ended(runner.deploy(nodes, **SETTINGS), 0)
    for number, host in enumerate(fleet):
        for name in case.profiles(number):
            after = target.named("after", name)
            check.equal(target.version(host, name), after, f"{host.name}: the next deploy")
            check.equal(target.steps(host, name)[-1], f"end {after}", f"{host.name}: the next deploy")


if __name__ == "__main__":
    main()
