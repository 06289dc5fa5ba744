# SPDX-License-Identifier: Apache-2.0
"""Hashes of the code that a measurement depends on, to detect stale ones."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import tinyflow.timing
from tinyflow.kernels.base import Kernel, Source
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.render import render
from tinyflow.resources import FIRMWARE, TEMPLATES
from tinyflow.storage.cache import ContentHash

#: The modules of the timing model; others of the package only use it.
_MODEL = (
    "caches core_pipeline cores counts cycle_model dual_issue instructions single_issue".split()
)  # fmt: skip

#: Comments of C and assembly, and of Jinja.
_COMMENT = re.compile(r"/\*.*?\*/|\{#.*?#\}", re.DOTALL)


@cache
def model_digest() -> str:
    """A hash of the timing model's code without its comments and docstrings."""
    folder = Path(tinyflow.timing.__file__).parent
    texts = (folder.joinpath(f"{name}.py").read_text(encoding="utf-8") for name in _MODEL)
    return ContentHash(*(python_code_of(text) for text in texts)).key()[:16]


def python_code_of(text: str) -> str:
    """The syntax tree of a Python module without its docstrings."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            del node.body[0]
    return ast.dump(tree)


def kernel_digest(kernel: Kernel, cmsis: CmsisNN) -> str:
    """A hash of the code a kernel runs and of its work; not of comments or constants' values."""
    digest = ContentHash(kernel.function, sorted(kernel.work.items()), kernel.scratch)
    digest.add(code_of(_text("templates", f"model/layers/{kernel.template}")))
    digest.add(*(code_of(source_text(source)) for source in kernel.sources))
    if kernel.library == "CMSIS-NN":
        digest.add(cmsis.version)
    elif kernel.library == "tinyflow":
        files = (kernel.source, kernel.header, *kernel.needs)
        digest.add(*(code_of(_text("firmware", f"kernels/{file}")) for file in files if file))
    return digest.key()[:16]


def code_of(text: str) -> str:
    """C, assembly or a template without its comments and blank lines."""
    lines = (line.rstrip() for line in _COMMENT.sub("", text).splitlines())
    return "\n".join(line for line in lines if line)


@cache
def _text(folder: str, path: str) -> str:
    root = {"templates": TEMPLATES, "firmware": FIRMWARE}[folder]
    return (root / path).read_text(encoding="utf-8")


@cache
def source_text(source: Source) -> str:
    """The text of a generated file."""
    return render(f"kernels/{source.template}", file=source.file, **dict(source.parameters))
