# SPDX-License-Identifier: Apache-2.0
"""What happened is told to a receiver, signed, and a receiver that is slow delays nothing."""

import base64
import hashlib
import hmac
import http.server
import json
import os
import threading
import time

from fleet import check
from fleet.flake import node, package
from fleet.fleet import hosts
from fleet.runner import deploy

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
    run = check.ended(deploy({"web-1": node(web, package("bad", "exit 4\n"))},
                             plan=receiver.plan), 11)
    told = [json.loads(body)["type"] for _, body in receiver.got]
    check.equal(told, ["belay.run.started", "belay.node.rolled_back", "belay.node.finished",
                       "belay.run.finished"], "what the receiver got")
    for headers, body in receiver.got:
        check.equal(headers["webhook-signature"], signature(headers, body), "signature")
        event = json.loads(body)["data"]
        check.equal(headers["webhook-id"], f"{event['run']}-{event['seq']}", "webhook-id")
    secret = os.environ["HOOK_SECRET"].removeprefix("whsec_")
    for path in run.out.iterdir():
        assert secret not in path.read_text(), f"the secret is in {path.name}"


@hosts(1)
def slow_receiver(fleet):
    """Each answer takes longer than the window for the confirmation."""
    [web] = fleet
    receiver = Receiver(seconds=4)
    check.ended(deploy({"web-1": node(web, package("one"), confirmTimeout=3)},
                       plan=receiver.plan), 0)
    check.runs(web, 1, "one", "one")
    check.equal(len(receiver.got), 2, "run.started and run.finished")
