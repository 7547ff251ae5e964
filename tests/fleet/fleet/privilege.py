# SPDX-License-Identifier: Apache-2.0
"""Who may become whom on a host: passwords, sudoers, doas.conf. The programs and PAM are the
machine's own."""

import shutil

from . import world

PAM = """\
auth required pam_unix.so
account required pam_unix.so
session required pam_permit.so
"""


def require():
    for program in ["sudo", "doas", "openssl"]:
        if not shutil.which(program, path=world.SYSTEM_PATH):
            world.leave_out(f"there is no {program}; tests/run.sh installs it")


def set_password(host, user, password):
    hashed = world.run("openssl", "passwd", "-6", "-stdin", text=password + "\n").strip()
    shadow = host.path("/etc/shadow")
    shadow.write_text(shadow.read_text().replace(f"\n{user}:*:", f"\n{user}:{hashed}:"))


def sudoers(host, *lines):
    """The whole file."""
    _write(host, "sudoers", "".join(f"{line}\n" for line in lines), 0o440)
    _write(host, "pam.d/sudo", PAM, 0o644)


def doas(host, *lines):
    _write(host, "doas.conf", "".join(f"{line}\n" for line in lines), 0o400)
    _write(host, "pam.d/doas", PAM, 0o644)


def _write(host, name, text, mode):
    path = host.path(f"/etc/{name}")
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(mode)
