# SPDX-License-Identifier: Apache-2.0
"""`tinyflow.toml`: what it says, and how it is refused."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tinyflow.cli.init import project_text
from tinyflow.errors import InputError
from tinyflow.settings.project_file import Project, make_project, read_project

MODEL = '[model]\npath = "kws.tflite"\n'


def read(tmp_path: Path, text: str | bytes) -> Project:
    path = tmp_path / "tinyflow.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_project(path)


def test_defaults_and_paths_relative_to_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    project = read(tmp_path, MODEL + '[data]\ntest = "data/test.npz"\ncalibration = "/abs.npz"\n')
    assert project.model.path == tmp_path / "kws.tflite"
    assert project.data.test == tmp_path / "data" / "test.npz"
    assert project.data.calibration == Path("/abs.npz")
    assert project.prune.method == "none"
    assert project.budget.latency_ms is None


def test_a_byte_order_mark_is_no_matter(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbf" + MODEL.encode()).model.path.name == "kws.tflite"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("model path", "not a TOML file", None),
        (b"\xff\xfe\x00", "not a TOML file", None),
        ("x = " + "[" * 5000, "not a TOML file", None),
        ("", "[model]: missing", None),
        ("[model]\n", "[model] path: missing", None),
        ("[model]\npath = 5\n", "[model] path: must be a path, got 5", None),
        ('model = "kws"\n', "[model]: must be a table, got 'kws'", None),
        (MODEL + "[buget]\n", "[buget]: unknown table", "Did you mean 'budget'? Tables: model,"),
        ("x = 1\n" + MODEL, "[x]: unknown table", "Tables: model, data, prune"),
        (
            MODEL + "[budget]\nlatency = 1\n",
            "[budget] latency: unknown key",
            "Did you mean 'latency_ms'? Keys of [budget]: latency_ms, ram_kib",
        ),
        (MODEL + '[prune]\nratio = "half"\n', "[prune] ratio: ", None),
        (MODEL + "[prune]\nratio = 1.5\n", "[prune] ratio: ", None),
        (MODEL + '[prune]\nmethod = "magic"\n', "[prune] method: ", None),
        (MODEL + "[quantize]\nsamples = 0\n", "[quantize] samples: ", None),
        (MODEL + "[build]\nvectors = 1.5\n", "[build] vectors: ", None),
        (MODEL + "[budget]\nram_kib = nan\n", "[budget] ram_kib: ", None),
        (MODEL + "[budget]\naccuracy_drop = inf\n", "[budget] accuracy_drop: ", None),
    ],
)
def test_refusals_name_file_and_key(
    tmp_path: Path, text: str | bytes, message: str, hint: str | None
) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert caught.value.message.startswith(f"{tmp_path}/tinyflow.toml: {message}")
    if hint is None:
        assert caught.value.hint is None
    else:
        assert caught.value.hint is not None
        assert caught.value.hint.startswith(hint)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file") as caught:
        read_project(tmp_path / "tinyflow.toml")
    assert "tinyflow init" in str(caught.value)
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_project(tmp_path)


def fields() -> list[tuple[str, str, str]]:
    return [
        (table, key, str(field.description))
        for table, info in Project.model_fields.items()
        for key, field in info.annotation.model_fields.items()  # type: ignore[union-attr]
    ]


def test_the_written_file_documents_every_key_and_parses() -> None:
    text = project_text({"model": {"path": 'odd "name"\\\x7f\n.tflite', "name": "kws"}})
    parsed = tomllib.loads(text)
    assert parsed["model"] == {"path": 'odd "name"\\\x7f\n.tflite', "name": "kws"}
    assert set(parsed) == set(Project.model_fields)
    for table, key, description in fields():
        block = text.split(f"[{table}]\n")[1].split("\n\n")[0]
        assert f"# {description}\n" in block
        assert f"{key} = " in block
    make_project(parsed, base=Path(), source="test")


def test_its_commented_keys_are_right_once_uncommented() -> None:
    lines = project_text({"model": {"path": "kws.tflite"}}).splitlines()
    keys = {key for _, key, _ in fields()}
    live = [line[2:] if line[2:].split(" = ")[0] in keys else line for line in lines]
    parsed = tomllib.loads("\n".join(live))
    assert sum(map(len, parsed.values())) == len(fields())
    make_project(parsed, base=Path(), source="test")
