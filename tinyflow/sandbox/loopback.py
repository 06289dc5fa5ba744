# SPDX-License-Identifier: Apache-2.0
"""Runs a program whose only network is a loopback interface apart from the machine's.

    python -m tinyflow.sandbox.loopback PROGRAM ARGUMENT...

The server that it opens can be reached by the processes that it starts, and by no other machine,
whatever address it listens on. Where the kernel refuses a network namespace, as in many containers,
the program runs all the same, behind one line on standard output that says so. On other systems
than Linux there are none.

Sources: network_namespaces(7), user_namespaces(7), netdevice(7).
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path

from tinyflow.sandbox.system import CLONE_NEWNET, CLONE_NEWUSER, unshare

#: Message if the program keeps the machine's network.
SHARED = "no network namespace can be made here: what follows may listen on every network"
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1
#: `struct ifreq`: name, flags, and the rest of its union.
_REQUEST = struct.Struct("16sh22x")
#: Exit code of a shell for a program that cannot be run.
_CANNOT_RUN = 127


def enter_loopback() -> None:
    """Move to a new network namespace and set its loopback interface up.

    Without the right to make one, the process moves to a user namespace, too, in which its user and
    group are what they were.

    Raises:
        OSError: the kernel refuses.
    """
    user, group = os.geteuid(), os.getegid()
    try:
        unshare(CLONE_NEWNET)
    except PermissionError:
        unshare(CLONE_NEWUSER | CLONE_NEWNET)
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        reply = fcntl.ioctl(control, _GET_FLAGS, _REQUEST.pack(b"lo", 0))
        name, flags = _REQUEST.unpack(reply)
        fcntl.ioctl(control, _SET_FLAGS, _REQUEST.pack(name, flags | _UP))


def can_enter_loopback() -> bool:
    """Whether `enter_loopback` works, tried in a process that ends at once.

    A kernel may allow the namespace and refuse the interface, which cannot be undone.
    """
    if sys.platform != "linux":
        return False
    child = os.fork()
    if child == 0:
        code = 1
        with suppress(BaseException):
            enter_loopback()
            code = 0
        os._exit(code)
    return os.waitpid(child, 0)[1] == 0


def main() -> int:
    """Become the program that the arguments name."""
    if can_enter_loopback():
        enter_loopback()
    else:
        print(SHARED, flush=True)
    try:
        os.execv(sys.argv[1], sys.argv[1:])
    except OSError as error:
        print(f"{sys.argv[1]} cannot be run: {error}", flush=True)
    return _CANNOT_RUN


if __name__ == "__main__":
    sys.exit(main())
