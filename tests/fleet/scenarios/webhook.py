# SPDX-License-Identifier: Apache-2.0
"""What happened is told to a receiver, signed, and a receiver that is slow delays nothing."""

import base64
import hashlib
import hmac
import http.server
import json
import os
import resource
import signal
import subprocess
import threading
import time

from fleet import check
from fleet.flake import node, package
from fleet.fleet import hosts
from fleet.runner import FOLDER, deploy, start, wait_until

KEY = b"a key of twenty-four byt"
PLAN = """\
version: 1
environment: production
webhooks:
  - {url: "http://127.0.0.1:%d/hook", allowHttp: true, secretEnv: HOOK_SECRET}
"""


class Receiver(http.server.ThreadingHTTPServer):
    """Keeps what it got: (headers, body)."""

    def __init__(self, seconds=0):
        self.got, self.seconds = [], seconds
        super().__init__(("127.0.0.1", 0), Answer)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def plan(self):
        os.environ["HOOK_SECRET"] = "whsec_" + base64.b64encode(KEY).decode()
        return PLAN % self.server_address[1]


class Answer(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append((self.headers, body))
        time.sleep(self.server.seconds)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_arguments):
        pass


def signature(headers, body):
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()


@hosts(1)
def signed(fleet):
    [web] = fleet
    receiver = Receiver()
    plan = receiver.plan
    secret = os.environ["HOOK_SECRET"].removeprefix("whsec_")
    logs = FOLDER / "logs"
    run = check.ended(deploy({"web-1": node(web, package("bad", f"echo {secret}\nexit 4\n"))},
                             "--log-dir", logs, plan=plan), 11)
    told = [json.loads(body)["type"] for _, body in receiver.got]
    check.equal(told, ["belay.run.started", "belay.node.rolled_back", "belay.node.finished",
                       "belay.run.finished"], "what the receiver got")
    for headers, body in receiver.got:
        check.equal(headers["webhook-signature"], signature(headers, body), "signature")
        event = json.loads(body)["data"]
        check.equal(headers["webhook-id"], f"{event['run']}-{event['seq']}", "webhook-id")
    check.masked(run, secret, *logs.iterdir())
    assert not any(secret.encode() in body for _, body in receiver.got), "the receiver got it"


def dumps_core(process):
    """Whether it leaves a core when it is aborted, with leave to."""
    resource.prlimit(process.pid, resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
    process.send_signal(signal.SIGABRT)
    status = os.waitpid(process.pid, 0)[1]
    process.returncode = -os.WTERMSIG(status)
    assert os.WIFSIGNALED(status), f"it ended with {status}"
    return os.WCOREDUMP(status)


@hosts(1)
def secret_of_a_run_that_crashes(fleet):
    """While a run goes on its secret is in no process but its own; and it leaves no core. The host, of
    which nobody speaks any more, goes back."""
    [web] = fleet
    receiver = Receiver()
    check.ended(deploy({"web-1": node(web, package("good"))}, plan=receiver.plan), 0)
    run = start({"web-1": node(web, package("seen", "until test -e /run/go; do sleep 0.1; done\n"),
                               confirmTimeout=2)}, plan=receiver.plan)
    wait_until(lambda: "seen" in check.activated(web), "the script runs")
    check.in_no_process(os.environ["HOOK_SECRET"].removeprefix("whsec_"))
    other = subprocess.Popen(["sleep", "100"], cwd=FOLDER)
    if not dumps_core(other):
        print("no process here leaves a core: that half is left out")
    assert not dumps_core(run.process), "the run left a core"
    web.output("touch", "/run/go")
    wait_until(lambda: check.activated(web) == ["good", "seen", "good"], "rolled back")


@hosts(1)
def slow_receiver(fleet):
    """Each answer takes longer than the window for the confirmation."""
    [web] = fleet
    receiver = Receiver(seconds=4)
    check.ended(deploy({"web-1": node(web, package("one"), confirmTimeout=3)},
                       plan=receiver.plan), 0)
    check.runs(web, 1, "one", "one")
    check.equal(len(receiver.got), 2, "run.started and run.finished")
