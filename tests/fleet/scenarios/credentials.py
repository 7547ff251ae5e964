# SPDX-License-Identifier: Apache-2.0
"""What opens a flake's source stands in its URL at times, and is repeated nowhere."""

import subprocess

from fleet import check, flake
from fleet.flake import node, package
from fleet.fleet import hosts
from fleet.runner import FOLDER, Run, binary

SECRET, TOKEN = "hunter2-and-more", "token-of-nobody"


def told(run):
    """All that a run wrote anywhere."""
    return "".join(path.read_text(errors="replace") for path in sorted(run.out.rglob("*"))
                   if path.is_file()) + run.stdout


def hidden(text, *secrets):
    for secret in secrets:
        assert secret not in text, text
    assert "***" in text, text


@hosts(1)
def in_the_url_of_a_flake_that_cannot_be_had(fleet):
    [web] = fleet
    folder = flake.write(FOLDER / "flake", {"web-1": node(web, package("one"))})
    url = f"git+https://oauth2:{SECRET}@127.0.0.1:1/x.git?access_token={TOKEN}"
    logs = FOLDER / "logs"
    run = check.ended(Run(folder, url, "--log-dir", logs, checks=True).wait(), 20)
    hidden(told(run), SECRET, TOKEN)
    [log] = logs.glob("belay-*.log")
    hidden(log.read_text(), SECRET, TOKEN)
    (folder / "belay.yaml").write_text(f'version: 1\nflake: "{url}"\n')
    hidden(told(check.ended(Run(folder, "--debug-logs").wait(), 20)), SECRET, TOKEN)
    (folder / "belay.yaml").write_text(f'version: 1\nflake: "{url}#a.b.c"\n')
    hidden(told(check.ended(Run(folder).wait(), 3)), SECRET, TOKEN)
    (folder / "belay.yaml").unlink()
    for verb in (["plan"], ["check"], ["plan", "--debug-logs"], ["plan", "--out", "plan.json"]):
        done = subprocess.run([binary(), *verb, url], cwd=folder, check=False, capture_output=True,
                              text=True)
        check.equal(done.returncode, 20, f"exit code of {verb} ({done.stderr})")
        hidden(done.stdout + done.stderr, SECRET, TOKEN)
    wrong = subprocess.run([binary(), "run", f"{url}#a.b.c"], cwd=folder, check=False,
                           capture_output=True, text=True)
    check.equal(wrong.returncode, 2, f"exit code ({wrong.stderr})")
    hidden(wrong.stdout + wrong.stderr, SECRET, TOKEN)
    check.untouched(web)
