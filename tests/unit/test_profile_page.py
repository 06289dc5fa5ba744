# SPDX-License-Identifier: Apache-2.0
"""The profile's page: its figures, its graph, and that nothing in it runs but its own script."""

from __future__ import annotations

import base64
import hashlib
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.support.chromium import chromium_page, needs_chromium
from tinyflow.report.profile_data import (
    BlockUse,
    Profile,
    ProfiledBlock,
    ProfiledFrame,
    ProfiledFunction,
    ProfiledInstruction,
    ProfiledLayer,
    ProfiledModel,
)
from tinyflow.report.profile_page import render_page
from tinyflow.report.report_data import (
    BoardSection,
    LatencySection,
    OverheadSection,
    SplitSection,
)
from tinyflow.storage.files import write_file

HOSTILE = (
    "</script><script>document.title='owned'</script>",
    '"><img src=x onerror="document.title=\'owned\'">',
    "{{ 7 * 7 }} <!-- & -->",
    "'\u2028</style><a href='javascript:1'>",
)
NOTHING = SplitSection(core=0, branch=0, flash_data=0, fetch=0, ram=0)


def split(core: int) -> SplitSection:
    return SplitSection(core=core - 20, branch=10, flash_data=10, fetch=0, ram=0)


def make_profile(names: tuple[str, ...] = ("one", "two", "three", "four")) -> Profile:
    cycles = (1000, 4000, 3000, 2000)
    total = sum(cycles)
    frames = [ProfiledFrame(parent=-1, name="net", calls=1, cycles=total, self_cycles=0)]
    for name, own in zip(names, cycles, strict=True):
        layer = len(frames)
        frames.append(ProfiledFrame(parent=0, name=name, calls=1, cycles=own, self_cycles=100))
        frames.append(
            ProfiledFrame(
                parent=layer, name="kernel", calls=7, cycles=own - 100, self_cycles=own - 100
            )
        )
    return Profile(
        tinyflow="0",
        model=ProfiledModel(name="net", source=names[0], sha256="00", macs=100, input=names[1]),
        board=BoardSection(id="b", name="Board", mcu="mcu", core="cortex-m4", clock_hz=10**6),
        latency=LatencySection(
            instructions=5000,
            cycles=total,
            ms=10.0,
            cycles_per_instruction=2.0,
            error_percent=15,
            error_basis="measured",
            split=split(total),
            overhead=OverheadSection(instructions=0, cycles=0, split=NOTHING),
            energy=None,
        ),
        layers=tuple(
            ProfiledLayer(
                name=name,
                operator="CONV_2D",
                kernel="kernel",
                macs=0,
                instructions=1,
                cycles=own,
                ms=1.0,
                share=own / total,
                cycles_per_mac=None,
                split=split(own),
            )
            for name, own in zip(names, cycles, strict=True)
        ),
        functions=(
            ProfiledFunction(
                name=names[2],
                calls=28,
                instructions=1,
                self_cycles=total,
                total_cycles=total,
                self_share=1.0,
                total_share=1.0,
                split=split(total),
            ),
        ),
        blocks=(
            ProfiledBlock(
                address=0x8000,
                function=names[3],
                offset=4,
                executions=3,
                cycles=total,
                share=1.0,
                split=split(total),
                instructions=(ProfiledInstruction(address=0x8000, text="nop", core=9, branch=3),),
                uses=(BlockUse(layer=1, executions=3),),
            ),
        ),
        frames=tuple(frames),
    )


class Elements(HTMLParser):
    """The elements of a page with their attributes, and the text of some."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._open and data.strip():
            self.texts.append((self._open[-1], data))

    def count(self, tag: str) -> int:
        return sum(found == tag for found, _ in self.found)


@pytest.mark.parametrize("names", [("one", "two", "three", "four"), HOSTILE])
def test_the_page_holds_its_own_elements_only(names: tuple[str, ...]) -> None:
    profile = make_profile(names)
    elements = Elements(render_page(profile))
    assert elements.count("script") == 2
    assert elements.count("style") == 1
    assert not {tag for tag, _ in elements.found} & {"img", "a", "link", "iframe", "object"}
    attributes = [name for _, attributes in elements.found for name in attributes]
    assert not [name for name in attributes if name.startswith("on")]
    assert not {"src", "href", "style"} & set(attributes)
    shown = [text for tag, text in elements.texts if tag in ("th", "dd", "code")]
    for name in names:
        assert any(name in text for text in shown), name
    graph = json.loads(next(text for tag, text in elements.texts if text.startswith('{"clock')))
    assert graph["frames"] == [frame.model_dump() for frame in profile.frames]


def test_its_policy_names_its_style_and_script() -> None:
    elements = Elements(render_page(make_profile(HOSTILE)))
    policy = next(
        str(attributes["content"])
        for tag, attributes in elements.found
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    scripts = [text for tag, text in elements.texts if tag == "script"]
    (style,) = (text for tag, text in elements.texts if tag == "style")
    for text in (style, scripts[-1]):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy


def test_figures_board_and_error_bar_stand_on_it() -> None:
    text = " ".join(text for _, text in Elements(render_page(make_profile())).texts)
    for due in ("10,000, modelled", "±15 %", "Board", "1 MHz", "40.0%", "kernel", "00008000"):
        assert due in text, due


@needs_chromium
@pytest.mark.parametrize("names", [("one", "two", "three", "four"), HOSTILE])
def test_the_graph_in_a_browser(tmp_path: Path, names: tuple[str, ...]) -> None:
    write_file(tmp_path / "profile.html", render_page(make_profile(names)))
    with chromium_page() as page:
        page.open(tmp_path / "profile.html")
        assert page.evaluate("document.title") == "net on b: cycle profile"
        boxes = "[...document.querySelectorAll('.frame:not([hidden])')]"
        everything = ["net", *(text for name in names for text in (name, "kernel"))]
        assert page.evaluate(f"{boxes}.map(b => b.textContent)") == everything
        widths = page.evaluate(f"{boxes}.map(b => b.getBoundingClientRect().width)")
        assert widths[3] == pytest.approx(0.4 * widths[0], rel=0.01)
        # by keyboard: to the graph, down to the largest layer, zoom, out again
        page.evaluate(f"{boxes}[0].focus()")
        page.press("ArrowDown")
        focused = "document.activeElement.textContent"
        assert page.evaluate(focused) == names[1]
        assert "4,000 cycles, 40.0 %" in page.evaluate(
            "document.getElementById('detail').textContent"
        )
        page.press("Enter")
        assert page.evaluate(f"{boxes}.map(b => b.textContent)") == ["net", names[1], "kernel"]
        assert page.evaluate(focused) == names[1]
        assert page.evaluate("document.getElementById('reset').disabled") is False
        page.press("ArrowDown")
        assert page.evaluate(focused) == "kernel"
        page.press("Escape")
        assert len(page.evaluate(f"{boxes}.map(b => b.textContent)")) == 9
        page.press("ArrowRight")
        assert "2,900 cycles" in page.evaluate("document.activeElement.ariaLabel")
        page.press("ArrowUp")
        assert page.evaluate(focused) == names[2]
        page.evaluate(f"{boxes}[7].click()")
        assert page.evaluate(f"{boxes}.map(b => b.textContent)") == ["net", names[3], "kernel"]
        page.evaluate("document.getElementById('reset').click()")
        assert len(page.evaluate(f"{boxes}.map(b => b.textContent)")) == 9
        assert page.problems == []
