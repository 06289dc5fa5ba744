# SPDX-License-Identifier: Apache-2.0
"""A full disk ends in one clear error, and leaves the former build and no half-written files."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tinyflow as package
from tests.support.command_line import snapshot
from tests.support.small_model import small_model

BOARD = "nrf52840"

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)
_NAMESPACE = ["unshare", "--map-root-user", "--mount"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A former build in `place/out`, and another model."""
    place = tmp_path / "place"
    (tmp_path / "small.tflite").write_bytes(small_model())
    (tmp_path / "other.tflite").write_bytes(small_model(seed=1))
    package.build(tmp_path / "small.tflite", board=BOARD, output=place / "out")
    return place


def build(place: Path, *, limit: int | None = None, **environment: str) -> tuple[int, str]:
    """Build the other model over the former build, as a process; `limit` is that of file sizes."""
    command = [sys.executable, "-m", "tinyflow", "build", str(place.parent / "other.tflite")]

    def limited() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        [*command, "--board", BOARD, "--output", str(place / "out")],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limited,
    )
    return done.returncode, done.stderr


def check_message(said: str) -> None:
    """One error that names the disk, and none of the words of a compiler that crashed."""
    errors = [line for line in said.splitlines() if "error:" in line]
    assert len(errors) == 1, said
    assert "the disk is full" in errors[0]
    assert "Traceback" not in said


@pytest.mark.parametrize("limit", [0, 5_000, 20_000, 100_000])
def test_a_limit_on_the_size_of_files(place: Path, limit: int, tmp_path: Path) -> None:
    before = snapshot(place)
    code, said = build(place, limit=limit, TINYFLOW_CACHE=str(tmp_path / "cache"))
    assert code == 3, said
    check_message(said)
    assert snapshot(place) == before


def can_mount() -> bool:
    if shutil.which("unshare") is None or shutil.which("mount") is None:
        return False
    command = [*_NAMESPACE, "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


needs_mount = pytest.mark.skipif(not can_mount(), reason="no user namespace to mount a tmpfs in")


@needs_mount
@pytest.mark.parametrize(
    ("small_one", "room"),
    [("TINYFLOW_CACHE", "64k"), ("TINYFLOW_CACHE", "300k"), ("TMPDIR", "8k"), ("TMPDIR", "64k")],
)
def test_a_small_cache_or_folder_for_temporary_files(
    place: Path, tmp_path: Path, small_one: str, room: str
) -> None:
    before = snapshot(place)
    (tmp_path / "small").mkdir()
    folders = {"TINYFLOW_CACHE": tmp_path / "cache", "TMPDIR": tmp_path / "tmp"}
    folders["TMPDIR"].mkdir()
    folders[small_one] = tmp_path / "small"
    done = subprocess.run(
        [
            *_NAMESPACE, "sh", "-c",
            f'mount -t tmpfs -o size={room} none "{tmp_path}/small" && exec "$@"', "sh",
            sys.executable, "-m", "tinyflow", "build", str(tmp_path / "other.tflite"),
            "--board", BOARD, "--output", str(place / "out"),
        ],
        env={**os.environ, **{name: str(folder) for name, folder in folders.items()}},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if done.returncode == 0:
        pytest.skip(f"{room} was enough")
    assert done.returncode == 3, done.stderr
    check_message(done.stderr)
    assert snapshot(place) == before


@needs_mount
def test_a_full_disk_of_the_output(place: Path, tmp_path: Path) -> None:
    """The former build stays whole, and nothing is left next to it."""
    script = """
        mount -t tmpfs -o size=2m none "$1" && cp -a "$2" "$1/out" || exit 99
        (cd "$1" && find . -type f | sort | xargs sha256sum && ls -a) > "$3/before"
        dd if=/dev/zero of="$1/filler" bs=4096 2> /dev/null
        truncate -s -65536 "$1/filler"
        shift 3; "$@"; code=$?; set --
        rm "$PLACE/filler"
        (cd "$PLACE" && find . -type f | sort | xargs sha256sum && ls -a) > "$LISTS/after"
        exit $code
    """
    small = tmp_path / "small"
    small.mkdir()
    done = subprocess.run(
        [
            *_NAMESPACE, "sh", "-c", script, "sh", str(small), str(place / "out"), str(tmp_path),
            sys.executable, "-m", "tinyflow", "build", str(tmp_path / "other.tflite"),
            "--board", BOARD, "--output", str(small / "out"),
        ],
        env={**os.environ, "PLACE": str(small), "LISTS": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert f"error: {small}/out/" in done.stderr
    assert "the disk is full" in done.stderr
    assert (tmp_path / "before").read_text() == (tmp_path / "after").read_text()
