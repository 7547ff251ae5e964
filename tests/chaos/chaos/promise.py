# SPDX-License-Identifier: Apache-2.0
"""What a run owes to a host that nothing came in the way of: green where the script does its work, and
a clean way back where it does not. Without it a belay that calls everything unknown would hold."""

from chaos import draw


def owed(case, number):
    """"success", "back", "nothing back" where what was there fails, or None where the faults leave it
    open."""
    host = case.hosts[number]
    if case.disturbed(number) or not _is_good(host) and not _is_bad(host):
        return None
    if case.on_failure == "stop":
        if any(case.disturbed(other) for other in range(len(case.hosts))):
            return None
        if not all(_is_good(one) for one in case.hosts) and len(case.hosts) > 1:
            return None
    if _is_good(host):
        return "success"
    if not case.auto:
        return None
    return "back" if host.back == "good" else "nothing back" if not host.home else None


def _is_good(host):
    return host.script in draw.GOOD and host.home in {"", *draw.GOOD}


def _is_bad(host):
    return host.script in draw.BAD or host.script in draw.GOOD and host.home in draw.BAD


def kept(case, number, story):
    due = owed(case, number)
    if due is None:
        return
    story.must(story.end is not None, f"owed {due}, and not a word")
    end = story.end
    if due == "success":
        story.must((end["outcome"], story.now) == ("success", story.wanted), "owed green")
    elif due == "back":
        story.must((end["outcome"], end["rollback"]) == ("failure", "succeeded"), "owed a way back")
    else:
        story.must((end["outcome"], end["rollback"]) == ("error", "failed"), "owed an alarm")
