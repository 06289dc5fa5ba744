# SPDX-License-Identifier: Apache-2.0
"""The profile as one HTML page that needs nothing but itself.

All text is escaped by the template engine, names of the model among it; the page's own policy lets
no script run but the one that belongs to it, and nothing be loaded.
"""

from __future__ import annotations

import base64
import hashlib

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tinyflow.report.profile_data import Profile
from tinyflow.report.report_data import SplitSection
from tinyflow.report.terminal import CAUSES, describe_moved, origin
from tinyflow.resources import TEMPLATES


def render_page(profile: Profile) -> str:
    """The page's text."""
    style, script = _asset("profile.css"), _asset("profile.js")
    return (
        _environment()
        .get_template("profile.html.j2")
        .render(
            profile=profile,
            whole=max(1, profile.latency.cycles),
            largest=max(1, *(layer.cycles for layer in profile.layers)),
            most=max(1, *(function.self_cycles for function in profile.functions)),
            hottest=max(1, *(block.cycles for block in profile.blocks)),
            names=CAUSES,
            origin=origin(profile.latency),
            in_ram=[(placed.what, describe_moved(placed)) for placed in profile.in_ram],
            graph={
                "clock_hz": profile.board.clock_hz,
                "frames": [frame.model_dump() for frame in profile.frames],
            },
            style=style,
            script=script,
            policy=_policy(style, script),
        )
    )


def _asset(name: str) -> Markup:
    """A file of tinyflow's own, which goes into the page as it is."""
    return Markup((TEMPLATES / "report" / name).read_text(encoding="utf-8"))


def _policy(style: str, script: str) -> str:
    hashes = [
        base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
        for text in (style, script)
    ]
    return (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _environment() -> Environment:
    jinja = Environment(
        loader=FileSystemLoader(TEMPLATES / "report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=True,
    )
    jinja.filters["count"] = lambda number: f"{number:,}"
    jinja.filters["percent"] = lambda share: f"{share:.1%}"
    jinja.filters["total"] = _total
    jinja.filters["causes"] = _causes
    return jinja


def _total(split: SplitSection) -> int:
    return sum(cycles for _, cycles in split)


def _causes(split: SplitSection) -> str:
    return ", ".join(f"{CAUSES[name]} {cycles:,}" for name, cycles in split if cycles)
