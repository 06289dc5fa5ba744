# SPDX-License-Identifier: Apache-2.0
"""Write the parts of the documentation that follow from the code.

    python docs/generate.py            # rewrites what is stale
    python docs/generate.py --check    # only says what is stale; exit code 1

A page holds pairs of markers, `<!-- generated: NAME -->` and `<!-- end -->`; what is between
them is replaced. `docs/operators.md` is generated whole.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
import typing
from collections.abc import Callable, Iterator
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.conformance.driver import model_of
from tests.conformance.test_conformance import FAMILIES
from tests.support.first_kernels import select_kernels
from tinyflow.boards import CacheGeometry, board_ids, load_board
from tinyflow.cli.app import app
from tinyflow.errors import exit_codes
from tinyflow.ir.graph import Graph
from tinyflow.ir.types import Activation
from tinyflow.kernels.base import Kernel
from tinyflow.kernels.catalogue import Service, services
from tinyflow.kernels.cmsis_nn.source import CmsisNN, find_cmsis_nn
from tinyflow.oracle.pieces import LACKING
from tinyflow.oracle.process import first_output
from tinyflow.passes import optimise
from tinyflow.report.profile_data import Profile
from tinyflow.report.report_data import Report
from tinyflow.settings.options import build_options
from tinyflow.settings.project_file import Project
from tinyflow.storage.files import write_file
from tinyflow.tflite.control_flow import MAX_ITERATIONS
from tinyflow.tflite.importer import import_model
from tinyflow.timing.core_pipeline import Pipeline
from tinyflow.timing.cores import PIPELINES
from tinyflow.timing.dual_issue import CONFLICTS
from tinyflow.timing.validation import BOARD_BARS, CORE_BARS, NO_MEMORY_BAR
from tinyflow.timing.validation_points import POINT_SETS, PointSet

ROOT = Path(__file__).resolve().parents[1]
_MARKED = re.compile(
    r"(?P<begin><!-- generated: (?P<name>[\w-]+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL
)
_OPERATORS_PAGE = "docs/operators.md"


def pages() -> dict[Path, str]:
    """Every page with generated parts, as it should be."""
    found = {
        path: text
        for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
        if (text := path.read_text(encoding="utf-8")) and _MARKED.search(text)
    }
    fresh = {path: _MARKED.sub(_block, text) for path, text in found.items()}
    fresh[ROOT / _OPERATORS_PAGE] = _operators_page()
    return fresh


def stale() -> list[Path]:
    """The pages that are not as they should be."""
    return [
        path
        for path, text in pages().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


def _block(match: re.Match[str]) -> str:
    return match["begin"] + "\n" + BLOCKS[match["name"]]() + "\n" + match["end"]


# ------------------------------------------------------------------------------ tables


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _exit_codes() -> str:
    def rows() -> Iterator[tuple[str, ...]]:
        yield "0", "success", ""
        for code, error in exit_codes().items():
            yield str(code), error.meaning, f"`{error.__name__}`"
            if code == 1:
                yield "2", "wrong usage: an option or argument that does not exist", ""

    return _table(("code", "meaning", "exception in Python"), rows())


def _boards() -> str:
    def rows() -> Iterator[tuple[str, ...]]:
        for board in map(load_board, board_ids()):
            yield (
                f"`{board.id}`",
                board.name,
                board.core,
                f"{board.clock_hz / 1e6:g} MHz",
                f"{board.ram.size // 1024} KiB",
                f"{board.flash.size // 1024} KiB",
            )

    return _table(("id", "board", "core", "clock", "RAM", "flash"), rows())


def _project() -> str:
    def tables() -> Iterator[str]:
        for name, field in Project.model_fields.items():
            table = field.annotation
            assert table is not None and issubclass(table, BaseModel)
            yield f"**`[{name}]`** {table.__doc__}\n\n" + _table(
                ("key", "option", "type", "default", "meaning"), _keys(name, table)
            )

    return "\n".join(tables())


def _keys(name: str, table: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    flags = {option.key: f"`{option.flag}`" for option in build_options() if option.table == name}
    for key, field in table.model_fields.items():
        default = "required" if field.is_required() else _value(field.default)
        flag = flags.get(key, "`MODEL`")
        yield f"`{key}`", flag, _type(field.annotation), default, field.description or ""


def _value(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def _type(annotation: Any) -> str:
    if typing.get_origin(annotation) is typing.Literal:
        return ", ".join(f'`"{choice}"`' for choice in typing.get_args(annotation))
    inner = [part for part in typing.get_args(annotation) if part is not type(None)]
    if inner:
        return _type(inner[0])
    names = {Path: "path", str: "text", int: "integer", float: "number", bool: "true or false"}
    return names[annotation]


def _profile() -> str:
    def rows() -> Iterator[tuple[str, ...]]:
        yield "", "`tinyflow`", "The version that profiled."
        yield from _sections(Profile, "")

    return _table(("section", "fields", "what"), rows())


def _report() -> str:
    def rows() -> Iterator[tuple[str, ...]]:
        yield "", "`tinyflow`", "The version that built it."
        yield from _sections(Report, "")
        yield "`artifacts`", "`elf`, `library`, `tflite`, ...", "Files, relative to the report's."

    return _table(("section", "fields", "what"), rows())


def _sections(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        section, is_list = _section_of(field.annotation)
        if section is None:
            continue
        path = f"{prefix}{name}{'[]' if is_list else ''}"
        plain = [
            f"`{inner.alias or key}`"
            for key, inner in section.model_fields.items()
            if _section_of(inner.annotation)[0] is None
        ]
        if plain:
            yield f"`{path}`", ", ".join(plain), " ".join((section.__doc__ or "").split())
        yield from _sections(section, f"{path}.")


def _section_of(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    parts = typing.get_args(annotation) or (annotation,)
    for part in parts:
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part, typing.get_origin(annotation) is tuple
    return None, False


# ------------------------------------------------------------------------------- timing


def _validation_sets() -> str:
    def rows() -> Iterator[tuple[str, ...]]:
        for number, points in enumerate(POINT_SETS, start=1):
            yield (
                str(number),
                f"[{points.source}]({points.url}), {points.published_in}",
                f"{points.part}, {points.conditions}",
                points.deviations,
                points.fitted or "nothing: held out",
                f"{_rms(points):.1f}, {max(map(abs, _errors(points))):.1f}",
            )

    columns = (
        "",
        "measured by",
        "on",
        "how what was modelled differs",
        "chosen on it",
        "rms and largest error, %",
    )
    return _table(columns, rows())


def _errors(points: PointSet) -> list[float]:
    return [program.error_percent for program in points.programs]


def _rms(points: PointSet) -> float:
    errors = _errors(points)
    return float((sum(error**2 for error in errors) / len(errors)) ** 0.5)


def _validation_points(*, networks: bool) -> str:
    def rows() -> Iterator[tuple[str, ...]]:
        for number, points in enumerate(POINT_SETS, start=1):
            if (len(points.programs) < _MANY_PROGRAMS) is not networks:
                continue
            for program in points.programs:
                yield (
                    str(number),
                    points.part,
                    program.name,
                    f"{program.published:,}",
                    f"{program.modelled:,}",
                    f"{program.error_percent:+.1f}",
                    "" if points.fitted else "held out",
                )

    return _table(("", "part", "program", "measured", "modelled", "error, %", ""), rows())


#: Sets with at least this many programs get their own table.
_MANY_PROGRAMS = 15


def _error_bars() -> str:
    def rows() -> Iterator[tuple[str, ...]]:
        named = [(f"`{board}`", bar) for board, bar in BOARD_BARS.items()]
        others = [(f"another {core}", bar) for core, bar in CORE_BARS.items()]
        for name, bar in [*named, *others, ("no `timing` in the file", NO_MEMORY_BAR)]:
            yield name, f"±{bar.percent} %", bar.basis

    return _table(("board", "bar", "because"), rows())


def _core_rules() -> str:
    def tables() -> Iterator[str]:
        for core in ("cortex-m0plus", "cortex-m3", "cortex-m4"):
            yield f"**{core}**: one cycle an instruction, and\n\n" + _table(
                ("cycles", "for", "source"), _rules(PIPELINES[core])
            )
        yield (
            "**cortex-m7**: latencies and needs in half cycles, then blocking cycles\n\n"
            + _table(("", "for", "source"), _rules(PIPELINES["cortex-m7"]))
        )
        yield "**cortex-m7**: two instructions are not issued together when\n\n" + _table(
            ("", "source"), ((conflict.meaning, conflict.source) for conflict in CONFLICTS)
        )

    return "\n".join(tables())


def _rules(pipeline: Pipeline) -> Iterator[tuple[str, ...]]:
    for rule in pipeline.rules():
        yield f"{rule.cycles:+d}", rule.meaning, rule.source


def _memories() -> str:
    def rows() -> Iterator[tuple[str, ...]]:
        for board in map(load_board, board_ids()):
            timing = board.timing
            if timing is None:
                continue
            for what, access in (("code", timing.fetch), ("flash data", timing.flash_data)):
                cost = f"{timing.cycles(access)} a {'miss' if access.cache else 'read'}"
                yield f"`{board.id}`", what, _geometry(access.cache), cost, access.source
            for bank in timing.ram:
                cost = (
                    f"{bank.miss_cycles} a miss" if bank.cached else f"{bank.burst_cycles} a burst"
                )
                yield f"`{board.id}`", bank.name, "", cost, bank.source

    return _table(("board", "what", "cache", "cycles", "source"), rows())


def _geometry(cache: CacheGeometry | None) -> str:
    if cache is None:
        return "none"
    ways = "fully associative" if cache.sets == 1 else f"{cache.ways} ways"
    return f"{cache.lines} x {cache.line_bytes} bytes, {ways}"


# ------------------------------------------------------------------------------ commands


def _subcommands() -> dict[str, Any]:
    group: Any = typer.main.get_command(app)
    return dict(group.commands)


def _commands() -> str:
    rows = (
        (f"[`tinyflow {name}`](docs/usage.md#tinyflow-{name})", _one_line(command.help))
        for name, command in _subcommands().items()
    )
    return _table(("command", "what it does"), rows)


def _one_line(text: str) -> str:
    return " ".join(text.split("\n\n", maxsplit=1)[0].split())


def _usage() -> str:
    return "\n".join(_usage_of(name, command) for name, command in _subcommands().items())


def _usage_of(name: str, command: Any) -> str:
    arguments = [p for p in command.params if not p.opts[0].startswith("-")]
    synopsis = " ".join(p.name.upper() if p.required else f"[{p.name.upper()}]" for p in arguments)
    rows = [*_parameter_rows(command.params)]
    return (
        f"### tinyflow {name}\n\n```\ntinyflow {name} {synopsis}".rstrip()
        + " [OPTIONS]\n```\n\n"
        + _help(command.help)
        + "\n"
        + _table(("argument or option", "meaning"), iter(rows))
    )


def _parameter_rows(parameters: list[Any]) -> Iterator[tuple[str, ...]]:
    for parameter in parameters:
        if parameter.name == "help":
            continue
        shown = parameter.opts[0]
        if not shown.startswith("-"):
            shown = shown.upper()
        elif getattr(parameter, "count", False):
            shown = ", ".join(reversed(parameter.opts))
        elif not getattr(parameter, "is_flag", False):
            shown += f" {_kind(parameter)}"
        notes = parameter.help
        if shown.startswith("-") and parameter.required:
            notes += " Required."
        if parameter.default not in (None, False, ()) and not parameter.required:
            notes += f" Default: {parameter.default}."
        yield tuple(text.replace("|", "\\|") for text in (f"`{shown}`", " ".join(notes.split())))


def _kind(parameter: Any) -> str:
    annotation = parameter.type_descriptor.annotation
    parts = [part for part in typing.get_args(annotation) if part is not type(None)]
    if typing.get_origin(annotation) is not typing.Literal and parts:  # optional, or a list
        annotation = parts[0]
    if typing.get_origin(annotation) is typing.Literal:
        return "|".join(typing.get_args(annotation))
    return {str: "TEXT", int: "N", float: "X"}.get(annotation, "PATH")


def _help(text: str) -> str:
    """A command's help as Markdown: what follows a backspace is laid out already."""
    parts = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b\n"):
            example = "\n".join(line.strip() for line in paragraph[2:].splitlines())
            parts.append(f"```\n{example}\n```")
        else:
            parts.append(" ".join(paragraph.split()))
    return "\n\n".join(parts) + "\n"


# ----------------------------------------------------------------------------- operators

_OPERATORS_HEAD = """\
# Operators

Generated by `python docs/generate.py` from the kernels; `tinyflow operators` prints the same.

These operators of a quantised `.tflite` are compiled. A model with any other one is refused with
exit code 4 and a message that names the operator and its layer. Activations are int8, or int16 with
zero points of 0, quantised per tensor; any type may be that of a model's inputs and outputs:
QUANTIZE, DEQUANTIZE and CAST convert, int16 of another zero point is moved and converted, and
truth values and integers without a scale have operators, too.

Every kernel gives the very bytes of the reference kernel of TensorFlow Lite Micro (TFLM) or, where
TFLM has none, of LiteRT's: {lacking}, ARG_MAX and ARG_MIN to int64,
EXP, LOG and NEG of int8, SELECT_V2 of int32, STRIDED_SLICE of five dimensions.
Weights of int4 are stored two to a byte and give what int8 weights of the same values give.
[How exactness is proved](architecture.md#how-exactness-is-proved) states the rule.

Operators that read only constants are computed before anything else, also those that are not in the
table, and no code is left of them: the SHAPE, STRIDED_SLICE and PACK before a RESHAPE where the
batch was open, anchors behind TILE or RANGE, weights behind DEQUANTIZE, QUANTIZE or TRANSPOSE. An
output of the model that becomes a constant is refused.

A converter leaves some operators in float32 inside an int8 model; see
[Float operators](#float-operators).

Activations that may be fused into an operator: {activations}.

[Generated kernels](#generated-kernels), generated for the layer, support most convolutions,
products, sums, pools and tables of int8 where that is best. The others depend on the copy of
CMSIS-NN at hand, and are named below: `arm_` functions are CMSIS-NN's; `tinyflow_` functions are
tinyflow's own portable C, used for what the copy lacks. The report names each layer's kernel. The
copy of CMSIS-NN {bundled} is the part of it that PyPI's `bakenn` carries.

VAR_HANDLE and CALL_ONCE are accepted, too, and become no code: variables are known by their
container and shared name, and a subgraph that CALL_ONCE runs may assign constants to them. See
[models with a state](generated-c.md#models-with-a-state).

IF and WHILE become operators of the model. Of an IF whose condition is a constant, one branch is
left; else both are computed and SELECT_V2 chooses, where they keep no state and give int8, int32 or
float32. A WHILE is unrolled where the number of its iterations follows from constants and is
{iterations} at most, and its body keeps no state. Others are refused.

The `Signal` operators are custom operators of TFLM's signal library, of which audio front ends are
made; their integers have no scale. Such a front end is compiled by itself, as a model from samples
to features. TFLite_Detection_PostProcess, a custom operator, too, computes in float32 behind
DEQUANTIZE; a box without an area ends the inference with an error, as in TFLM.

"""


_GENERATED_HEAD = """
## Generated kernels

These are generated for the layers at hand, in variants of which a build [chooses](kernels.md).
Where a layer is outside of all of them, or where that is better, one of the kernels above is taken
it.

*Scales* are those of the input times the weights, by the output's. *In place*: the output may lie
in the memory of an input that is not read again. *Row by row*: in [less
memory](generated-c.md#layers-that-run-row-by-row), images of a batch of 1.

"""


_FLOAT_TAIL = """
## Float operators

Where a converter has no int8 form of an operator, it leaves it in float32 between DEQUANTIZE and
QUANTIZE. If what lies between them is a function of each element of one int8 tensor (any constants
are the same for all elements), the build replaces it by a table of its 256 values, which the oracle
computes: no float arithmetic is left on the device, and the report names the layer by the
operators that the table replaces.

Else the operators run in float32, or int32 where that is said, on every core, with or without an
FPU, and give the bits of TensorFlow Lite Micro's reference kernels ([how that is
proved](architecture.md#how-exactness-is-proved)). They are slow on a core without an FPU; the
report names every layer that computes in float32. A model in which nothing is quantised (no input,
no output, no operator with weights) is refused.

CAST converts between bool, int8, int16, int32 and float32. The operators that move elements take
float32 in addition to the types above.

FLOOR_DIV by 0, and an index outside of its tensor, end the inference with an error, as they do in
TFLM. Left out of what TFLM's kernels take: GREATER of int16, whose parameters TFLM leaves unset;
RSQRT of int16, and of int8 that can be negative, which TFLM refuses at run time; logical operators
on other types than bool.
"""


def _operators_page() -> str:
    bundled = find_cmsis_nn(_bundled())
    # What PlatformIO would fetch: a whole copy of the newest version.
    newest = CmsisNN("7.0.0", "lib_deps", None, None, {})
    listed = ", ".join(
        activation.value for activation in Activation if activation is not Activation.NONE
    )
    lacking = ", ".join(sorted(LACKING & {service.operator for service in services()}))
    head = _OPERATORS_HEAD.format(
        activations=listed,
        bundled=bundled.version,
        lacking=lacking,
        iterations=MAX_ITERATIONS,
    )
    heading = (
        "operator",
        "types",
        "what is compiled",
        f"with CMSIS-NN {bundled.version} (bakenn)",
        f"with CMSIS-NN {newest.version}",
    )
    common = _table(heading, _operator_rows(bundled, newest))
    columns = ("operator", "supported, of int8", "cores", "in place", "row by row")
    return head + common + _GENERATED_HEAD + _table(columns, _generated_rows()) + _FLOAT_TAIL


def _generated_rows() -> Iterator[tuple[str, ...]]:
    """Yield what generated kernels support; operators with the same text share a row."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for service in services():
        if service.library == "generated":
            text = service.attributes[:1].upper() + service.attributes[1:].rstrip(".")
            cores = ", ".join(service.cores)
            abilities = (when or "" for when in (service.in_place, service.by_rows))
            rows.setdefault((text, cores, *abilities), []).append(f"`{service.operator}`")
    for row, operators in rows.items():
        yield ", ".join(operators), *row


def _bundled() -> Path:
    """The CMSIS-NN inside `bakenn`, whatever else this machine has."""
    import bakenn

    return Path(bakenn.__file__).parent / "backend" / "cmsis_nn" / "vendor" / "cmsis_nn"


def _operator_rows(*copies: CmsisNN) -> Iterator[tuple[str, ...]]:
    probed = [_probed(copy) for copy in copies]
    others = (service for service in services() if service.library != "generated")
    for kind, kernels in groupby(others, key=lambda service: service.operator):
        stated = list(kernels)
        functions = (
            ", ".join(dict.fromkeys(f"`{kernel.function}`" for kernel in found.get(kind, ())))
            for found in probed
        )
        yield (
            f"`{kind}`",
            "; ".join(dict.fromkeys(service.types for service in stated if service.types)),
            " ".join(_sentences(stated)),
            *(text.replace("`none`", "no code runs") for text in functions),
        )


def _sentences(stated: list[Service]) -> Iterator[str]:
    """Yield the statements of the kernels, each once; rules for int16 alone are marked."""
    common = {service.attributes for service in stated if service.types != "int16"}
    for attributes in dict.fromkeys(service.attributes for service in stated):
        if attributes in common:
            yield attributes[:1].upper() + attributes[1:]
        elif attributes:
            yield f"int16: {attributes}"


def _probed(copy: CmsisNN) -> dict[str, list[Kernel]]:
    """Return, by operator, the kernels chosen for the test cases of it."""
    board = load_board("stm32f746")
    found: dict[str, list[Kernel]] = {}
    for graph in _examples():
        for kernel in select_kernels(graph, board, copy, kernels="cmsis-nn"):
            found.setdefault(kernel.operator.title, []).append(kernel)
    return found


@cache
def _examples() -> tuple[Graph, ...]:
    """The graphs of all single-operator cases of the tests."""
    contents = [
        model_of({name: case}) for family in FAMILIES.values() for name, case in family.items()
    ]
    path = Path("case")
    return tuple(
        optimise(import_model(content, path, name="case"), content, path, first_output)
        for content in contents
    )


#: Generators by marker.
BLOCKS: dict[str, Callable[[], str]] = {
    "boards": _boards,
    "commands": _commands,
    "core-rules": _core_rules,
    "error-bars": _error_bars,
    "exit-codes": _exit_codes,
    "memories": _memories,
    "profile": _profile,
    "project": _project,
    "report": _report,
    "usage": _usage,
    "validation-sets": _validation_sets,
    "validation-networks": lambda: _validation_points(networks=True),
    "validation-programs": lambda: _validation_points(networks=False),
}


def main() -> int:
    """Rewrite the stale pages, or name them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if stale")
    check = parser.parse_args().check
    found = stale()
    fresh = pages()
    for path in found:
        if not check:
            write_file(path, fresh[path])
        print(f"{'stale' if check else 'wrote'}: {path.relative_to(ROOT)}")
    return 1 if check and found else 0


if __name__ == "__main__":
    sys.exit(main())
