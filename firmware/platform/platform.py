# SPDX-License-Identifier: Apache-2.0
"""PlatformIO development platform for bare-metal Cortex-M boards.

What the machine already has is used as it is: the compiler and OpenOCD on PATH, SCons from PyPI
with PlatformIO. Only what is missing comes from PlatformIO's registry, and where that is out of
reach the build says so at once: PlatformIO itself would try for a minute.
"""

import importlib.metadata
import importlib.util
import json
import shutil
import tempfile
import threading
import urllib.error
import urllib.request
from pathlib import Path

from platformio.dependencies import get_core_dependencies
from platformio.exception import UserSideException
from platformio.package.manager.core import get_core_package_dir
from platformio.package.meta import PackageItem, PackageMetadata, PackageSpec
from platformio.platform.base import PlatformBase
from platformio.proc import get_pythonexe_path

REGISTRY = "https://api.registry.platformio.org"
REGISTRY_TIMEOUT_S = 4.0

#: Package, the program on PATH that makes it unnecessary, how to install that.
PROGRAMS = {
    "toolchain-gccarmnoneeabi": (
        "arm-none-eabi-gcc",
        "sudo apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi",
    ),
    "tool-openocd": ("openocd", "sudo apt-get install openocd"),
}


class MissingToolError(UserSideException):
    """A tool is neither installed nor to be had; tinyflow recognises the first words."""

    MESSAGE = "Missing tool: {0}"


class TinyflowPlatform(PlatformBase):
    """The platform of a generated project."""

    def configure_default_packages(self, options, targets):
        super().configure_default_packages(options, targets)
        provide_scons(Path(self.config.get("platformio", "packages_dir")))
        if self._upload_protocol(options) not in ("stlink", "cmsis-dap", "jlink"):
            self.packages["tool-openocd"]["optional"] = True
        for package, (program, _) in PROGRAMS.items():
            if not self.get_package(package) and shutil.which(program):
                self.packages[package]["optional"] = True

    def install_package(self, name, *args, **kwargs):
        if name not in PROGRAMS or self.get_package(name):
            return super().install_package(name, *args, **kwargs)
        program, command = PROGRAMS[name]
        problem = f"`{program}` is not on PATH, and PlatformIO's registry"
        if not registry_reachable():
            raise MissingToolError(f"{problem} cannot be reached. Install it: {command}")
        try:
            return super().install_package(name, *args, **kwargs)
        except Exception as error:
            raise MissingToolError(
                f"{problem} did not give its package `{name}` "
                f"({error or type(error).__name__}). Install it: {command}"
            ) from error

    def _upload_protocol(self, options):
        if options.get("upload_protocol") or "board" not in options:
            return options.get("upload_protocol")
        return self.board_config(options["board"]).get("upload.protocol", None)


def registry_reachable():
    """Whether PlatformIO's registry answers, asked for a few seconds at most."""
    answers = []

    def ask():
        try:
            with urllib.request.urlopen(REGISTRY, timeout=REGISTRY_TIMEOUT_S):
                answers.append(True)
        except urllib.error.HTTPError as error:
            # any answer of the registry's own will do; a proxy that refuses will not
            answers.append(error.code not in (403, 407, 502, 503, 504))
        except OSError:
            answers.append(False)

    # in a thread, because a look-up of the name has its own timeout
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(REGISTRY_TIMEOUT_S + 1)
    return bool(answers and answers[0])


def provide_scons(packages):
    """Make PlatformIO's `tool-scons` package out of PyPI's SCons, once per packages folder."""
    if get_core_package_dir("tool-scons", auto_install=False):
        return
    spec = importlib.util.find_spec("SCons")
    if not spec or not spec.submodule_search_locations:
        if not registry_reachable():
            raise MissingToolError(
                "SCons is not installed with PlatformIO, and PlatformIO's registry cannot be "
                f"reached. Install it: {get_pythonexe_path()} -m pip install scons"
            )
        return  # PlatformIO downloads its own
    packages.mkdir(parents=True, exist_ok=True)
    # PlatformIO skips folders of this name when it lists its packages
    folder = Path(tempfile.mkdtemp(prefix="_tmp_installing-", dir=packages))
    try:
        version = get_core_dependencies()["tool-scons"].lstrip("~^=")
        fill_scons_package(folder, Path(spec.submodule_search_locations[0]), version)
        # the second name is for a folder that holds another version, as PlatformIO does it
        for name in ("tool-scons", f"tool-scons@{version}"):
            try:
                folder.rename(packages / name)
                return
            except OSError:
                if get_core_package_dir("tool-scons", auto_install=False):
                    return  # another process was first
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fill_scons_package(folder, source, version):
    """Write the package: a copy of SCons, a script that starts it, PlatformIO's records."""
    local = f"scons-local-{importlib.metadata.version('scons')}"
    shutil.copytree(
        source, folder / local / "SCons", ignore=shutil.ignore_patterns("docbook", "__pycache__")
    )
    (folder / "scons.py").write_text(
        "import os\nimport sys\n\n"
        "here = os.path.dirname(os.path.abspath(__file__))\n"
        f"sys.path.insert(0, os.path.join(here, {local!r}))\n"
        "import SCons.Script\n\n"
        "SCons.Script.main()\n",
        encoding="utf-8",
    )
    manifest = {
        "name": "tool-scons",
        "version": version,
        "description": "SCons from PyPI",
        "license": "MIT",
        "system": "*",
    }
    (folder / "package.json").write_text(json.dumps(manifest, indent=2), encoding="utf-8")
    # with a URI, PlatformIO does not look the package up in its registry for updates
    origin = PackageSpec(owner="platformio", name="tool-scons", uri=source.as_uri())
    PackageItem(str(folder), PackageMetadata("tool", "tool-scons", version, origin)).dump_meta()
    folder.chmod(0o755)
