# SPDX-License-Identifier: Apache-2.0
"""Several hosts and the machine that reaches them: keys, known hosts, names, Nix settings."""

import os

from . import world
from .host import Host
from .network import Network

RUNNER_NIX_CONF = """\
experimental-features = nix-command flakes
sandbox = false
substituters =
build-users-group =
"""


class Fleet:
    """Hosts `web-1`, `web-2` … (or `names`), up when the constructor returns. They go when this
    program ends; there is nothing to call. `make_host` gets number, name and network."""

    def __init__(self, count=1, names=None, make_host=Host):
        self.network = Network()
        names = names or [f"web-{number}" for number in range(1, count + 1)]
        self.hosts = {name: make_host(number, name, self.network)
                      for number, name in enumerate(names, 1)}
        self.key = world.HOME / ".ssh/id_ed25519"
        self._make_runner()
        for host in self.hosts.values():
            host.make(self.key.with_suffix(".pub").read_text())
        for host in self.hosts.values():
            host.wait_until_up()
        self._know_hosts()

    def __getitem__(self, name):
        return self.hosts[name]

    def __iter__(self):
        return iter(self.hosts.values())

    def stranger_key(self):
        """A host key that is none of theirs."""
        path = world.FLEET / "stranger"
        world.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path)
        return path.with_suffix(".pub").read_text().strip()

    def _make_runner(self):
        self.key.parent.mkdir(mode=0o700)
        world.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "runner", "-f", self.key)
        settings = world.HOME / "etc-nix"
        settings.mkdir()
        (settings / "nix.conf").write_text(RUNNER_NIX_CONF)
        os.environ["NIX_CONF_DIR"] = str(settings)

    def _know_hosts(self):
        world.put_over("/etc/hosts", "127.0.0.1 localhost\n" + "".join(
            f"{host.address} {host.name}\n" for host in self))
        (world.HOME / ".ssh/known_hosts").write_text("".join(
            f"{host.name},{host.address},{host.address6} {host.public_key()}\n" for host in self))


def hosts(count, make_host=Host):
    """Says how many hosts a scenario wants, and of which kind."""
    def mark(scenario):
        scenario.make_fleet = lambda: Fleet(count, make_host=make_host)
        scenario.hosts = count
        return scenario
    return mark


def each_nix(scenario):
    """Says that a scenario shall also run with each combination of Nix releases that there is."""
    return scenario
