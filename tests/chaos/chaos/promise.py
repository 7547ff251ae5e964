# SPDX-License-Identifier: Apache-2.0
"""What a run owes to a host that nothing came in the way of: green where the script does its work, and
a clean way back where it does not. Without it a belay that calls everything unknown would hold."""

from chaos import draw


def owed(case, number):
    """"success", "back", or None where the faults leave it open."""
    host = case.hosts[number]
    if case.disturbed(number) or host.script not in draw.GOOD | draw.BAD:
        return None
    if case.on_failure == "continue":
        return "success" if host.script in draw.GOOD else "back"
    if any(case.disturbed(other) for other in range(len(case.hosts))):
        return None
    if all(one.script in draw.GOOD for one in case.hosts):
        return "success"
    return "back" if len(case.hosts) == 1 else None


def kept(case, number, story):
    due = owed(case, number)
    if due is None:
        return
    story.must(story.end is not None, f"owed {due}, and not a word")
    end = story.end
    if due == "success":
        story.must((end["outcome"], story.now) == ("success", story.wanted), "owed green")
    else:
        story.must((end["outcome"], end["rollback"]) == ("failure", "succeeded"), "owed a way back")
