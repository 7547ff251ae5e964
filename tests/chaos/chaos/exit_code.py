# SPDX-License-Identifier: Apache-2.0
"""The exit code that the table of docs/exit-codes.md gives for how the nodes of a run ended. Read from
node.finished, plan.resolved and what was begun; nothing of run.finished is believed."""

WORST_FIRST = [12, 1, 130, 143, 11, 10, 14, 13, 22, 21, 20, 15, 30, 40]
BEFORE_IT_WAS_TOUCHED = {
    "unreachable": 13, "host-key-mismatch": 13, "transport-unsupported": 13,
    "authentication-failed": 30, "secret": 30, "no-privilege": 30, "timeout": 14, "lock-held": 15,
    "evaluation-failed": 20, "build-failed": 21, "no-activation": 21, "copy-failed": 22,
    "sign-failed": 22,
}
OF_STAGE = {"build": 21, "sign": 22, "copy": 22}


def expected(run):
    cancel = _cancel(run)
    nodes = [node["id"] for plan in run.select("plan.resolved") for node in plan["data"]["nodes"]]
    touched = {node: _touched(run, node) for node in nodes}
    classes = [code for node in nodes if (code := _class(run, node, touched[node], cancel))]
    codes = {_of_all(code, classes, touched.values()) for code in classes}
    if _evaluation_failed(run, cancel):
        codes.add(20)
    if cancel in (130, 143) or (cancel and not nodes):
        codes.add(cancel)
    return min(codes, key=WORST_FIRST.index, default=0)


def _cancel(run):
    """The code of what ended the run early, if anything did."""
    for asked in run.select("cancel.requested"):
        if asked["data"]["source"] == "timeout":
            return 14
        return 143 if asked["data"]["signal"] == "SIGTERM" else 130
    return None


def _evaluation_failed(run, cancel):
    ends = [event["data"]["outcome"] for event in run.select("evaluate.finished")]
    return any(end != "success" and not (cancel and end == "cancelled") for end in ends)


def _touched(run, node):
    """Its activation was begun, as far as its target was told to begin."""
    begun = run.select("stage.started", node=node, stage="activate")
    ends = [end["data"]["reason"]
            for end in run.select("stage.finished", node=node, stage="activate")]
    return len(begun) > ends.count("unreachable")


def _class(run, node, touched, cancel):
    ends = run.select("node.finished", node=node)
    if not ends:
        return cancel if cancel and not touched else 12
    end = ends[0]["data"]
    outcome, reason = end["outcome"], end["reason"]
    if end["rollback"] in ("failed", "unknown") or reason in ("state-unknown", "rollback-failed"):
        return 12
    if reason == "superseded":
        return 10
    if end["rollback"] == "succeeded" or run.select("node.rolled_back", node=node):
        return 10 if end["changed"] else 11
    if outcome in ("success", "skipped"):
        return None
    if outcome == "cancelled":
        return cancel or 10
    if reason == "internal":
        return 1
    return 10 if touched else BEFORE_IT_WAS_TOUCHED.get(reason) or _class_of_stage(run, node)


def _class_of_stage(run, node):
    broken = [end["stage"] for end in run.select("stage.finished", node=node)
              if end["data"]["outcome"] in ("failure", "error")]
    return OF_STAGE.get(broken[0] if broken else None, 10)


def _of_all(code, classes, touched):
    """13 and 21 are said of all nodes, or not at all."""
    if (code == 13 and set(classes) != {13}) or (code == 21 and any(touched)):
        return 10
    return code
