# SPDX-License-Identifier: Apache-2.0
"""What has to be true after a seed, read from the hosts first and from what the runs said second."""

from chaos import exit_code, target
from fleet import check


def profile_is_whole(host, profile, before, wanted, may_be_half=False):
    """It is what was recorded or what somebody wanted, and its activation ran last, to its end.
    `may_be_half`: the target says that this script failed."""
    now = target.version(host, profile)
    assert now in {before.version, *wanted}, \
        f"{host.name}: {profile} {now} is neither {before.version} nor any of {wanted}"
    steps = target.steps(host, profile)
    if now and "foreign" not in wanted:
        last = {f"end {now}", f"begin {now}"} if may_be_half else {f"end {now}"}
        assert steps[-1] in last, f"{host.name}: {profile} is {now}, its scripts did {steps}"
    there = target.generations(host, profile)
    for number, leads_to in before.generations.items():
        check.equal(there.get(number), leads_to, f"{host.name}: generation {number} of {profile}")
    return now


def nobody_was_overruled(host, now, was, wanted):
    """Where somebody else set the profile in the middle: it is theirs, or the deploy came after them;
    it never is what was before both."""
    assert now != was or was == wanted, \
        f"{host.name}: somebody set the profile meanwhile, and it was put back to {was}"


def no_failed_generation_stays(host, profile, before, now, ends):
    """What a rollback left is deleted: it is none of those that were there, nor of those that a deploy
    confirmed. `ends`: by version, how the deploys of it ended on the target."""
    for number, leads_to in target.generations(host, profile).items():
        version = leads_to.rpartition("-app-")[2]
        if number not in before.generations and version not in (now, before.version):
            assert ends.get(version) != {"rolled-back"}, \
                f"{host.name}: generation {number}, {version}, was rolled back and is still there"


class Story:
    """One run and one profile of a host: what was there, what the run wanted, what others did."""

    def __init__(self, run, host, profile, was, now, wanted, others):
        self.run, self.host, self.profile, self.was, self.now = run, host, profile, was, now
        self.wanted, self.others = wanted, others
        by_profile = target.states(host, run)
        self.own_states = by_profile[profile]
        self.states = set().union(*by_profile.values())
        ends = run.select("node.finished", node=host.name)
        self.end = ends[0]["data"] if ends else None
        self.msg = ends[0]["msg"] if ends else ""

    def __str__(self):
        return (f"{self.profile} of {self.host.name} is at {self.now}, was at {self.was}, its agent "
                f"says {self.states or 'nothing'}, was told {self.end}: {self.msg}")

    def is_at(self, *versions):
        return self.now in {*versions, *self.others}

    def must(self, condition, what):
        assert condition, f"{what}: {self}"


def told_the_truth(story, may_be_unknown, may_fail, may_fail_to_go_back, forgets):
    """`may_fail`: a failed activation may stay. `forgets`: the target may have thrown away what it
    knew of the run."""
    story.must(may_fail_to_go_back or "rollback-failed" not in story.states, "did not go back")
    story.must(may_fail or "failed" not in story.states, "was left as it failed")
    if not story.end:
        return
    if story.states or not forgets:
        agrees_with_the_target(story)
    end = story.end
    if end["outcome"] == "success":
        story.must(story.is_at(story.wanted), "a wrong green")
        story.must(f"end {story.wanted}" in target.steps(story.host, story.profile),
                   "green, never activated")
    elif end["rollback"] == "succeeded":
        # Without autoRollback a profile that was confirmed stays beside one that was interrupted.
        stays = may_fail and end["changed"] and story.own_states == {"confirmed"}
        story.must(story.is_at(story.wanted if stays else story.was), "a wrong rollback")
    elif end["rollback"] in ("failed", "unknown") or end["reason"] == "state-unknown":
        story.must(may_be_unknown or "rollback-failed" in story.states, "nothing hid it")
    elif end["reason"] != "left-to-target" and not end["changed"]:
        story.must(story.is_at(story.was), "unchanged, yet changed")


def told_the_generation(story):
    """Where the run worked on one profile and nobody else on it."""
    end = story.end
    if (end and end["generation_after"] is not None and end["reason"] != "left-to-target"
            and (end["outcome"] == "success" or end["rollback"] == "succeeded")):
        check.equal(check.installed(story.host)[0], end["generation_after"], str(story))


def agrees_with_the_target(story):
    end, states = story.end, story.states
    if end["outcome"] == "success":
        story.must(states == {"confirmed"}, "green, but not for its target")
    elif end["rollback"] == "succeeded":
        story.must("rolled-back" in states, "no rollback that the target knows of")
        story.must("rollback-failed" not in states, "the rollback failed")
    elif end["rollback"] == "failed":
        story.must(states & {"rollback-failed", "rolled-back"}, "no rollback failed")
    elif end["outcome"] == "skipped":
        story.must(states <= {"prepared", "rolled-back"}, "skipped, yet touched")
    elif end["reason"] == "superseded":
        story.must("superseded" in states, "the target knows of nobody else")
    elif end["outcome"] == "cancelled" and "goes back by itself" in story.msg:
        story.must("confirmed" not in states, "it does not go back")
    elif end["rollback"] == "none" and end["reason"] not in ("state-unknown", "left-to-target"):
        kept = "confirmed" in states or "failed" in states
        story.must(kept <= (end["changed"] or story.wanted == story.was), "it kept what it got")


def reports_are_whole(run, hurried=False):
    """`hurried`: two signals were sent. Nobody waits for the nodes then, and of some it is only said
    in the end of the run that nothing is known."""
    ends, announced = run.select("node.finished"), run.select("plan.resolved")
    untold = sum(len(plan["data"]["nodes"]) for plan in announced) - len(ends)
    if run.exit_code == -9:
        return killed(run)
    if hurried and untold:
        killed(run)
        [over] = run.select("run.finished")
        check.equal(over["data"]["exit_code"], run.exit_code, "run.finished: exit_code")
    else:
        check.ended(run, run.exit_code)
    check.equal(run.exit_code, exit_code.expected(run),
                f"exit code by the events and the table, with {[end['data'] for end in ends]}")


def killed(run):
    """A run that had no say in its end: what it wrote is whole up to there, which may be all."""
    events = run.events()
    check.equal([event["seq"] for event in events], list(range(1, len(events) + 1)), "seq")
    if over := run.select("run.finished"):
        check.equal(over[0]["seq"], len(events), "killed on its way out, and its last event")
