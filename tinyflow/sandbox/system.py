# SPDX-License-Identifier: Apache-2.0
"""System calls that Python's `os` does not have, through the C library."""

from __future__ import annotations

import ctypes
import os
from functools import cache

PR_SET_NO_NEW_PRIVS = 38
#: Flags of `unshare`: new namespaces of users, and of networks.
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


def syscall(number: int, *arguments: object) -> int:
    """Make a system call of integers and pointers.

    Raises:
        OSError: the kernel refuses; `errno` says why.
    """
    result = int(_library().syscall(ctypes.c_long(number), *arguments))
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def prctl(option: int, *arguments: int) -> None:
    """Call prctl(2) with whole machine words.

    Raises:
        OSError: the kernel refuses.
    """
    words = [ctypes.c_ulong(value) for value in (*arguments, *[0] * (4 - len(arguments)))]
    if _library().prctl(ctypes.c_int(option), *words) == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def unshare(flags: int) -> None:
    """Call unshare(2): leave the namespaces that the flags name.

    Raises:
        OSError: the kernel refuses.
    """
    if _library().unshare(ctypes.c_int(flags)) == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
