"""Runs a WASI program, or a script in SpiderMonkey, with the PyPI package wasmtime; with or without fuel.

wasmtime_run.py [--fuel] ACCOUNT run FILE.wasm [ARGS]
wasmtime_run.py [--fuel] ACCOUNT js SPIDERMONKEY.wasm SCRIPT LINE_FILE

Writes the seconds of each phase to ACCOUNT, as `skerry run --time-json` does, and what the fuel was. LINE_FILE holds the line
that SpiderMonkey reads from standard input. Fuel is Wasmtime's own: its costs are not Skerry's.
"""

import json
import os
import sys
import time

import wasmtime

# More than any program here uses.
FUEL = 1 << 60


def main():
    arguments = sys.argv[1:]
    fuel = arguments[0] == "--fuel"
    account, kind, file, *rest = arguments[fuel:]
    config = wasmtime.Config()
    config.consume_fuel = fuel
    config.max_wasm_stack = 2 << 20
    engine = wasmtime.Engine(config)
    start = time.perf_counter()
    with open(file, "rb") as module:
        module = wasmtime.Module(engine, module.read())
    compiled = time.perf_counter()
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    linker.define_unknown_imports_as_traps(module)
    store = wasmtime.Store(engine)
    wasi = wasmtime.WasiConfig()
    wasi.inherit_stdout()
    wasi.inherit_stderr()
    if kind == "js":
        script, line = rest
        wasi.stdin_file = line
        wasi.preopen_dir(os.path.dirname(script), "/script")
        entries = ["_initialize", "wizer.initialize"]
    else:
        wasi.inherit_stdin()
        wasi.argv = [os.path.basename(file), *rest]
        entries = ["_start"]
    store.set_wasi(wasi)
    if fuel:
        store.set_fuel(FUEL)
    before = time.perf_counter()
    exports = linker.instantiate(store, module).exports(store)
    instantiated = time.perf_counter()
    try:
        for entry in entries:
            started = time.perf_counter()
            exports[entry](store)
    except wasmtime.ExitTrap as ended:
        if ended.code != 0:
            raise
    done = time.perf_counter()
    phases = {
        "compile": compiled - start,
        "instantiate": instantiated - before,
        "run": done - started,
        "code_bytes": 0,
    }
    if fuel:
        phases["fuel"] = FUEL - store.get_fuel()
    with open(account, "w") as file:
        json.dump(phases, file)


main()
