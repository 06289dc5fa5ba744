# SPDX-License-Identifier: Apache-2.0
"""Compiles and uploads a project: bare metal, GNU Arm toolchain, one linker script.

Project options (platformio.ini): `board_build.ldscript`, the linker script; `custom_cmsis_nn`,
the name of a library in `lib_deps` that holds CMSIS-NN's sources.
"""

import importlib.util
import sys
from pathlib import Path

from SCons.Script import COMMAND_LINE_TARGETS, AlwaysBuild, Default, DefaultEnvironment

env = DefaultEnvironment()
platform = env.PioPlatform()
board = env.BoardConfig()

PREFIX = "arm-none-eabi-"
#: Own code answers to these; the code of others is not held to them.
STRICT = ["-Wall", "-Wextra", "-Wconversion", "-Werror"]


def board_defines():
    """Macros that describe the board to the firmware: clock, UART, and its own `defines`."""
    section = board.get("tinyflow")
    uart = section["uart"]
    base = next(
        peripheral["base"]
        for peripheral in section["peripherals"]
        if peripheral["name"] == uart["peripheral"]
    )
    values = {
        "TINYFLOW_CLOCK_HZ": board.get("build.f_cpu").rstrip("LU"),
        "TINYFLOW_UART_BASE": base,
        "TINYFLOW_UART_BAUD": uart["baud"],
        **section.get("defines", {}),
    }
    return [(name, f"{value}u") for name, value in values.items()]


def set_tools():
    """Name the programs, and what a section counts as when PlatformIO adds up the sizes."""
    env.Replace(
        AR=PREFIX + "gcc-ar",
        AS=PREFIX + "as",
        CC=PREFIX + "gcc",
        CXX=PREFIX + "g++",
        GDB=PREFIX + "gdb" if env.WhereIs(PREFIX + "gdb") else "gdb-multiarch",
        OBJCOPY=PREFIX + "objcopy",
        RANLIB=PREFIX + "gcc-ranlib",
        SIZETOOL=PREFIX + "size",
        ARFLAGS=["rc"],
        PROGNAME="firmware",
        PROGSUFFIX=".elf",
        SIZEPROGREGEXP=r"^(?:\.isr_vector|\.copies|\.ram_code|\.ram_weights_\d+|\.text|\.rodata"
        r"|\.weights|\.ARM\.exidx|\.data)\s+(\d+).*",
        SIZEDATAREGEXP=r"^(?:\.stack|\.ram_code|\.ram_weights_\d+|\.data|\.bss)\s+(\d+).*",
        SIZECHECKCMD="$SIZETOOL -A -d $SOURCES",
        SIZEPRINTCMD="$SIZETOOL -A -d $SOURCES",
    )
    if not env.WhereIs(env["CC"]):
        sys.stderr.write(f"Missing tool: `{env['CC']}` is neither on PATH nor a package\n")
        env.Exit(1)


def set_flags():
    """One set of flags for the whole image; no option that relaxes floating-point arithmetic."""
    machine = ["-mthumb", "-mcpu=" + board.get("build.cpu")]
    if board.get("build.fpu", ""):
        machine += ["-mfpu=" + board.get("build.fpu")]
    machine += ["-mfloat-abi=" + board.get("build.float_abi", "soft")]
    env.Append(
        ASFLAGS=machine,
        ASPPFLAGS=["-x", "assembler-with-cpp"],
        CFLAGS=["-std=c11"],
        CXXFLAGS=["-std=c++17", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"],
        CCFLAGS=[
            *machine,
            "-O2",
            "-g",
            "-ffunction-sections",
            "-fdata-sections",
            # the same image wherever the project lies
            '"-ffile-prefix-map=$PROJECT_DIR=."',
        ],
        LINKFLAGS=[
            *machine,
            "-O2",
            "-nostartfiles",
            "--specs=nano.specs",
            "-Wl,--gc-sections",
            '-Wl,-Map="$BUILD_DIR/${PROGNAME}.map"',
        ],
        LIBS=["m"],
        CPPDEFINES=board_defines(),
    )
    env.Replace(LDSCRIPT_PATH=env.subst("$PROJECT_DIR/" + board.get("build.ldscript")))


def add_runtime():
    """Return start-up code and the microcontroller's file, which are next to this builder."""
    folders = {name: str(Path(platform.get_dir()) / name) for name in ("core", "mcu")}
    env.Append(CPPPATH=list(folders.values()))
    strict = env.Clone()
    strict.Append(CCFLAGS=["-Os", *STRICT])
    for name, folder in folders.items():
        env.Append(PIOBUILDFILES=strict.CollectBuildFiles(f"$BUILD_DIR/{name}", folder))


def add_cmsis_nn():
    """CMSIS-NN from `lib_deps`. It has no manifest, so the library builder cannot build it."""
    name = env.GetProjectOption("custom_cmsis_nn", "")
    if not name:
        return
    library = f"$PROJECT_LIBDEPS_DIR/$PIOENV/{name}"
    root = Path(env.subst(library))
    if not (root / "Include" / "arm_nnfunctions.h").is_file():
        sys.stderr.write(f"Error: {root} does not hold CMSIS-NN (Include/arm_nnfunctions.h)\n")
        env.Exit(1)
    env.Append(CCFLAGS=[f'"-isystem{library}/Include"'])
    env.Append(LIBS=[env.BuildLibrary("$BUILD_DIR/cmsis_nn", str(root / "Source"), "+<**/*.c>")])


def openocd_command(protocol):
    """Program, verify, reset and go, through OpenOCD and that probe."""
    transport = "hla_swd" if protocol == "stlink" else "swd"
    package = platform.get_package_dir("tool-openocd")
    scripts = ["-s", str(Path(package) / "openocd" / "scripts")] if package else []
    target = board.get("debug.openocd_target")
    arguments = [
        *scripts,
        *("-f", f"interface/{protocol}.cfg"),
        *("-c", f"transport select {transport}"),
        *("-f", f"target/{target}.cfg"),
        *("-c", "program {$SOURCE} verify reset exit"),
    ]
    env.Replace(UPLOADER="openocd", UPLOADERFLAGS=arguments)
    return "$UPLOADER $UPLOADERFLAGS"


def pyocd_command():
    """Program, reset and go, through pyOCD; `--no-wait` ends at once where no probe is found."""
    if "upload" in COMMAND_LINE_TARGETS and importlib.util.find_spec("pyocd") is None:
        command = f"{env.subst('$PYTHONEXE')} -m pip install pyocd"
        sys.stderr.write(f"Missing tool: pyOCD is not installed. Install it: {command}\n")
        env.Exit(1)
    arguments = ["-m", "pyocd", "load", "--no-wait", "-t", board.get("debug.pyocd_target")]
    env.Replace(UPLOADER="$PYTHONEXE", UPLOADERFLAGS=arguments)
    return "$UPLOADER $UPLOADERFLAGS $SOURCE"


def upload_command():
    """The command line of the upload protocol: the project's, else the board's."""
    protocol = env.subst("$UPLOAD_PROTOCOL") or board.get("upload.protocol")
    if protocol == "pyocd":
        return pyocd_command()
    if protocol == "custom":
        return "$UPLOADCMD"
    return openocd_command(protocol)


set_tools()
set_flags()
add_runtime()
add_cmsis_nn()

if "nobuild" in COMMAND_LINE_TARGETS:
    program = "$BUILD_DIR/${PROGNAME}${PROGSUFFIX}"
else:
    program = env.BuildProgram()
    env.Depends(program, "$LDSCRIPT_PATH")
AlwaysBuild(env.Alias("nobuild", program))
buildprog = env.Alias("buildprog", [program], program)
env.AddPlatformTarget(
    "size",
    program,
    env.VerboseAction("$SIZEPRINTCMD", "Calculating size $SOURCE"),
    "Program Size",
    "Show the size of every section",
)
env.AddPlatformTarget(
    "upload",
    program,
    [env.VerboseAction(upload_command(), "Uploading $SOURCE")],
    "Upload",
    "Program the board",
)
Default([buildprog, "checkprogsize"])
