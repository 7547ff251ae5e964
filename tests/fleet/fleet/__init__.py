# SPDX-License-Identifier: Apache-2.0
"""Real hosts on one machine: network, processes, files and Nix store of their own, a real sshd.

`world` makes a private world (namespaces) in which everything else happens, `network` and `host`
put hosts into it, `flake` writes what is deployed, `runner` runs belay and reads what it reported,
`check` holds the result to what the host itself says.

Nothing has to be torn down: every process lives in one PID namespace, every network device in one
network namespace, every file in a tmpfs of one mount namespace. They end with the first process
of the world, however it ends, and the kernel takes along all that was in them.
"""
