# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F821
"""Monitor commands for Renode that measure a function: executed instructions and virtual time.

Renode runs this in its own IronPython, which gives `monitor` and makes commands of functions whose
names begin with `mc_`. Include it, then `tinyflow_measure "SYMBOL"`; after the function has
returned, `tinyflow_measured "instructions"` and `tinyflow_measured "microseconds"` give those of
its last call.
"""

tinyflow_last_call = {}


def mc_tinyflow_measure(symbol):
    """Watch the function: from its first instruction to the one it returns to."""
    machine = monitor.Machine
    cpu = machine["sysbus.cpu"]
    entry = machine["sysbus"].GetSymbolAddress(symbol) & ~1
    call = {}
    watched = set()

    def now():
        return cpu.ExecutedInstructions, machine.ElapsedVirtualTime.TimeElapsed.TotalMicroseconds

    def entered(_cpu, _address):
        call["return"] = int(cpu.LR.RawValue) & ~1
        call["sp"] = int(cpu.SP.RawValue)
        if call["return"] not in watched:
            watched.add(call["return"])
            cpu.AddHook(call["return"], left)
        call["start"] = now()

    def left(_cpu, address):
        if call.get("return") != int(address) or call["sp"] != int(cpu.SP.RawValue):
            return
        end = now()
        tinyflow_last_call["instructions"] = int(end[0]) - int(call["start"][0])
        tinyflow_last_call["microseconds"] = float(end[1]) - float(call["start"][1])
        call.clear()

    tinyflow_last_call.clear()
    cpu.AddHook(entry, entered)


def mc_tinyflow_measured(what):
    """Print `instructions` or `microseconds` of the last call."""
    value = tinyflow_last_call.get(what)
    if value is None:
        print("not measured: the function has not returned yet")
    else:
        print(str(value))
