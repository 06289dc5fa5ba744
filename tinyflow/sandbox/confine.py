# SPDX-License-Identifier: Apache-2.0
"""Confining the running process: files, network, other processes, memory and time."""

from __future__ import annotations

import os
import resource
import signal
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tinyflow.sandbox.landlock import restrict_files
from tinyflow.sandbox.seccomp import restrict_calls
from tinyflow.sandbox.system import CLONE_NEWNET, CLONE_NEWUSER, unshare

_GIB = 1 << 30
#: Bytes of one file: more than any model or data set of a microcontroller has.
_FILE_LIMIT = 4 * _GIB
_RESERVED = 64 * _GIB
_MORE_TASKS = 1024
#: Folders that the interpreter, NumPy and TensorFlow read; they hold no file of the user's.
_SYSTEM = (
    "/usr", "/lib", "/lib64", "/opt", "/nix", "/proc/self", "/proc/cpuinfo", "/proc/meminfo",
    "/proc/stat", "/proc/filesystems", "/proc/sys", "/sys/devices/system", "/sys/fs/cgroup",
    "/etc/ld.so.cache", "/etc/localtime", "/etc/mime.types", "/dev/urandom", "/dev/random",
)  # fmt: skip


@dataclass(frozen=True)
class Confinement:
    """Restrictions that the kernel enforces on a confined process: no other files, no network."""

    files: bool
    network: bool


def confine(folder: Path, read: Iterable[Path], *, memory: int, cpu_seconds: int) -> Confinement:
    """Give up all that reading a model does not need; it cannot be undone.

    Called before the first thread is started: threads that exist already are not bound.

    Args:
        folder: the one folder that stays writable; temporary files and HOME move there.
        read: files and folders that stay readable, besides Python and its packages.
        memory: bytes of private memory that stay.
        cpu_seconds: of all threads together, after which the process is ended.
    """
    folder = folder.resolve()
    for name in ("HOME", "TMPDIR", "KERAS_HOME", "XDG_CACHE_HOME"):
        os.environ[name] = str(folder)
    _limit(memory, cpu_seconds)
    files = restrict_files(
        [*map(Path, _SYSTEM), *_python(), *read], [folder, Path("/dev/null"), Path("/dev/zero")]
    )
    network = restrict_calls() or _leave_network()
    return Confinement(files, network)


@contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """End the process with SIGPROF if what is inside takes more processor time than that.

    A signal handler would wait for C code to return, and that is what may hang.
    """
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def physical_memory() -> int:
    """Bytes of memory of this machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _python() -> list[Path]:
    """Return the folders of the interpreter and of all importable modules."""
    found = {*sys.path, sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    found |= set(sysconfig.get_paths().values())
    found |= set(os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep))
    paths = [Path(name).resolve() for name in found if name]
    # A module path of / or the home folder would open everything.
    return [path for path in paths if path not in (Path("/"), Path.home())]


def _limit(memory: int, cpu_seconds: int) -> None:
    limits = {
        # Threads reserve addresses that they never use, by the gigabyte.
        resource.RLIMIT_DATA: memory,
        resource.RLIMIT_AS: memory + _RESERVED,
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_FSIZE: _FILE_LIMIT,
        resource.RLIMIT_CORE: 0,
        # Counts the user's other processes and threads, too.
        resource.RLIMIT_NPROC: _tasks() + _MORE_TASKS,
    }
    for kind, value in limits.items():
        _, hard = resource.getrlimit(kind)
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (bound, bound))


def _tasks() -> int:
    """Processes and threads of the whole machine."""
    try:
        return int(Path("/proc/loadavg").read_text().split()[3].split("/")[1])
    except (OSError, IndexError, ValueError):
        return _MORE_TASKS


def _leave_network() -> bool:
    """Move to a network namespace with no interface; for processors without a filter."""
    try:
        unshare(CLONE_NEWUSER | CLONE_NEWNET)
    except OSError:
        return False
    return True
