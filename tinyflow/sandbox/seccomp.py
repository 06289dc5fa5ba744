# SPDX-License-Identifier: Apache-2.0
"""A seccomp filter: system calls that no reading of a model needs fail with EPERM.

It closes what Landlock leaves open: UDP and raw sockets, new processes, owners, modes and times
of files, other processes' memory. Numbers: the kernel's syscall_64.tbl and
asm-generic/unistd.h; the program's form: linux/filter.h and linux/seccomp.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from dataclasses import dataclass
from pathlib import Path

from tinyflow.sandbox.system import PR_SET_NO_NEW_PRIVS, prctl

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_CLONE_THREAD = 0x00010000
#: First of x86-64's calls of its 32-bit pointer form.
_X32 = 0x40000000


@dataclass(frozen=True)
class _Architecture:
    """Numbers of one processor's system calls.

    Attributes:
        audit: AUDIT_ARCH_* of linux/audit.h.
        clone: refused unless it makes a thread.
        own_process: refused for a first argument other than this process or 0.
        denied: refused always.
    """

    audit: int
    clone: int
    own_process: tuple[int, ...]
    denied: tuple[int, ...]


#: Calls in the order of `denied`: socket; execve, execveat; ptrace, process_vm_readv and _writev,
#: pidfd_open, pidfd_send_signal, rt_sigqueueinfo, rt_tgsigqueueinfo, tkill; mount, umount2,
#: unshare, setns, open_by_handle_at; bpf, userfaultfd, perf_event_open, io_uring_setup,
#: init_module, finit_module, kexec_load; add_key, request_key, keyctl; shmget, shmat, msgget,
#: semget, mq_open; fchmod, fchmodat, fchmodat2, fchown, fchownat; (l|f)setxattr,
#: (l|f)removexattr; utimensat. x86-64 has fork, vfork, chmod, chown, lchown, utime, utimes and
#: futimesat as well.
_ARCHITECTURES = {
    "x86_64": _Architecture(
        audit=0xC000003E,
        clone=56,
        own_process=(62, 234, 302),  # kill, tgkill, prlimit64
        denied=(
            41, 59, 322, 101, 310, 311, 434, 424, 129, 297, 200, 165, 166, 272, 308, 304, 321,
            323, 298, 425, 175, 313, 246, 248, 249, 250, 29, 30, 68, 64, 240, 91, 268, 452, 93,
            260, 188, 189, 190, 197, 198, 199, 280, 57, 58, 90, 92, 94, 132, 235, 261,
        ),
    ),
    "aarch64": _Architecture(
        audit=0xC00000B7,
        clone=220,
        own_process=(129, 131, 261),
        denied=(
            198, 221, 281, 117, 270, 271, 434, 424, 138, 240, 130, 40, 39, 97, 268, 265, 280,
            282, 241, 425, 105, 273, 104, 217, 218, 219, 194, 196, 186, 190, 180, 52, 53, 452, 55,
            54, 5, 6, 7, 14, 15, 16, 88,
        ),
    ),
}  # fmt: skip
_CLONE3 = 435


class _FilterProgram(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def has_seccomp() -> bool:
    """Whether the kernel takes filters, and the calls of this processor are known here."""
    return (
        platform.machine() in _ARCHITECTURES
        and Path("/proc/sys/kernel/seccomp/actions_avail").exists()
    )


def restrict_calls() -> bool:
    """Give up the system calls, for the calling thread and whatever it starts later.

    Returns:
        Whether the kernel enforces it; false if it takes no filters.
    """
    architecture = _ARCHITECTURES.get(platform.machine())
    if architecture is None:
        return False
    content = _program(architecture, os.getpid())
    program = _FilterProgram(len(content) // 8, content)
    try:
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(program))
    except OSError:
        return False
    return True


def _program(architecture: _Architecture, process: int) -> bytes:
    refuse = _instruction(_RETURN, _ERRNO | errno.EPERM)
    absent = _instruction(_RETURN, _ERRNO | errno.ENOSYS)
    allow = _instruction(_RETURN, _ALLOW)
    number = _instruction(_LOAD, _NUMBER_AT)
    argument = _instruction(_LOAD, _FIRST_ARGUMENT_AT)
    code = [
        _instruction(_LOAD, _ARCHITECTURE_AT),
        _instruction(_EQUAL, architecture.audit, 1, 0),
        refuse,
        number,
        _instruction(_AT_LEAST, _X32, 0, 1),
        refuse,
        # The C library takes clone instead, whose flags a filter can see.
        _instruction(_EQUAL, _CLONE3, 0, 1),
        absent,
        _instruction(_EQUAL, architecture.clone, 0, 4),
        argument,
        _instruction(_BITS, _CLONE_THREAD, 1, 0),
        refuse,
        allow,
    ]
    for call in architecture.own_process:
        code += [
            _instruction(_EQUAL, call, 0, 5),
            argument,
            _instruction(_EQUAL, process, 2, 0),
            _instruction(_EQUAL, 0, 1, 0),
            refuse,
            allow,
        ]
    for call in architecture.denied:
        code += [_instruction(_EQUAL, call, 0, 1), refuse]
    return b"".join([*code, allow])


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
