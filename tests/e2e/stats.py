#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
What is counted, as seen from outside, with guests that run: query-stats and
query-stats-schemas over QMP, machine.stats over JSON-RPC, `vmctl stats`, `top`
and `show`, of a machine that is translated, one that is interpreted and one
whose translated code does nothing but call the interpreter. They must agree,
grow while the guest runs, and stand still while it does not.

Runs in the build directory, with everything in a directory of its own.
"""
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.getcwd()
GUEST = os.path.join(HERE, "tests/e2e/guest")
LIMIT = 30.0  # seconds: nothing takes so long, on the slowest machine
CACHE = 8 << 20
CPUS = 2      # the guest never starts the second
PATHS = [f"/machine/unattached/cpu[{i}]" for i in range(CPUS)]


class Refused(Exception):
    """An error that came as the answer."""


class Client:
    """A connection that sends JSON and takes the answer that is no event."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(LIMIT)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")

    def read(self):
        while True:
            message = json.loads(self.file.readline())
            if "event" not in message and "method" not in message:
                return message

    def ask(self, request, result):
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        reply = self.read()
        if "error" in reply:
            raise Refused(reply["error"])
        return reply[result]


class Daemon(Client):
    def call(self, method, **params):
        return self.ask({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, "result")


class Machine(Client):
    def __init__(self, path):
        super().__init__(path)
        assert "QMP" in self.read()
        self.execute("qmp_capabilities")

    def execute(self, command, **arguments):
        return self.ask({"execute": command, "arguments": arguments}, "return")


def refused(function, *args, **kwargs):
    """The error that the call must end in."""
    try:
        result = function(*args, **kwargs)
    except Refused as e:
        return e.args[0]
    raise AssertionError(f"{args} {kwargs} should have been refused, but returned {result}")


def vmctl(*args, status=0):
    """What it prints: to its standard output where it succeeds, else to the other."""
    p = subprocess.run([os.path.join(HERE, "vmctl/vmctl"), "--no-start", *args], capture_output=True, text=True,
                       timeout=LIMIT, check=False)
    assert p.returncode == status, f"vmctl {' '.join(args)}: status {p.returncode}, {p.stdout}{p.stderr}"
    return p.stderr if status else p.stdout


def numbers(stats):
    """[{"name": ..., "value": ...}, ...] as a dictionary."""
    values = {s["name"]: s["value"] for s in stats}
    assert len(values) == len(stats), "a name twice"
    assert all(type(v) is int and v >= 0 for v in values.values()), values
    return values


def from_qmp(machine, **arguments):
    results = machine.execute("query-stats", target="vcpu", **arguments)
    assert all(r["provider"] == "__org.vmd_cpu" for r in results)
    return {r["qom-path"]: numbers(r["stats"]) for r in results}


def from_daemon(daemon, name):
    stats = daemon.call("machine.stats", name=name)
    assert [v["index"] for v in stats["vcpus"]] == list(range(CPUS))
    return stats, [numbers(v["stats"]) for v in stats["vcpus"]]


def from_text(name):
    """What `vmctl stats` prints: its lines as lists of words, by the first."""
    lines = [line.split() for line in vmctl("stats", name).splitlines()]
    return {words[0]: words[1:] for words in lines if words[0] != "fallback"}, \
        {words[1]: int(words[2]) for words in lines if words[0] == "fallback"}


def accel_shown(name):
    """The accelerator by `vmctl show`, as text and as JSON, which must agree; with the note."""
    text = re.search(r"^executed by +(\S+)(?: \((.*)\))?$", vmctl("show", name), re.MULTILINE)
    shown = json.loads(vmctl("--json", "show", name)).get("executed-by")
    assert (text is None) == (shown is None), (text, shown)
    if not shown:
        return None, None
    assert text.groups() == (shown["accel"], shown.get("accel-note")), (text.groups(), shown)
    return text.groups()


def check_schema(machine):
    """Returns the kinds of the numbers, by name."""
    schema, = machine.execute("query-stats-schemas")
    assert schema["provider"] == "__org.vmd_cpu" and schema["target"] == "vcpu"
    assert machine.execute("query-stats-schemas", provider="__org.vmd_cpu") == [schema]
    kinds = {s["name"]: s["type"] for s in schema["stats"]}
    units = {s["name"]: (s["unit"], s["base"], s["exponent"]) for s in schema["stats"] if "unit" in s}
    assert len(kinds) == len(schema["stats"]) and set(kinds.values()) == {"cumulative", "instant", "peak"}
    assert kinds["instructions"] == "cumulative" and "instructions" not in units
    assert kinds["jit-blocks"] == "instant" and kinds["jit-longest-translation"] == "peak"
    assert units["jit-code-bytes"] == units["jit-cache-bytes"] == ("bytes", 10, 0)
    assert units["jit-translation-time"] == units["jit-longest-translation"] == ("seconds", 10, -9)
    return kinds


def check_growth(machine, kinds):
    """Two looks at a guest that runs: what is to grow does, and nothing of that kind shrinks."""
    before = from_qmp(machine)
    assert list(before) == PATHS
    end = time.monotonic() + LIMIT
    while True:
        after = from_qmp(machine)
        for path in PATHS:
            assert after[path].keys() == kinds.keys()
            for name, kind in kinds.items():
                assert kind == "instant" or after[path][name] >= before[path][name], (path, name)
        if after[PATHS[0]]["instructions"] > before[PATHS[0]]["instructions"] + 1000:
            break
        assert time.monotonic() < end, "the guest does not get on"
        time.sleep(0.05)
    assert after[PATHS[1]]["instructions"] == 0, "the guest has not started it"


def check_paused(daemon, machine, name, kinds):
    """With the guest paused, everybody says the same."""
    daemon.call("machine.pause", name=name)
    qmp = from_qmp(machine)
    stats, rpc = from_daemon(daemon, name)
    text, fallbacks = from_text(name)
    assert [qmp[path] for path in PATHS] == rpc, (qmp, rpc)
    assert json.loads(vmctl("--json", "stats", name))["vcpus"] == stats["vcpus"]
    for k in kinds:
        assert text[k] == [str(v[k]) for v in rpc], (k, text[k])
    assert text["accel"][0] == stats["accel"] and float(text["cpu-time"][0]) > 0 and int(text["resident"][0]) > 1 << 20
    assert fallbacks == numbers(stats["fallbacks"])
    assert from_qmp(machine, vcpus=[PATHS[1]]) == {PATHS[1]: rpc[1]}
    wanted = [{"provider": "__org.vmd_cpu", "names": ["jit-blocks", "instructions", "no-such-number"]}]
    assert from_qmp(machine, providers=wanted) == {
        path: {k: v[k] for k in ("jit-blocks", "instructions")} for path, v in qmp.items()}
    later, again = from_daemon(daemon, name)
    assert again == rpc, "it counts while paused"
    assert later["time"] > stats["time"] and later["cpu-time"] >= stats["cpu-time"]
    daemon.call("machine.resume", name=name)
    return rpc[0], fallbacks


def check_top(name, accel):
    line, = json.loads(vmctl("--json", "top", "-n", "1", "-d", "0.5", name))
    assert (line["name"], line["state"], line["cpus"], line["memory"]) == (name, "running", CPUS, 64 << 20), line
    assert line["accel"] == accel and line["mips"] > 0 and line["cpu-percent"] > 0 and line["resident"] > 1 << 20, line
    heading, row = (line.split() for line in vmctl("top", "-b", "-n", "1", name).splitlines())
    row = dict(zip(heading, row))
    assert (row["NAME"], row["STATE"], row["CPUS"], row["ACCEL"]) == (name, "running", str(CPUS), accel), row
    assert float(row["MIPS"]) > 0 and float(row["CPU%"]) > 0 and row["MEMORY"] == "64M", row
    assert len(vmctl("top", "-b", "-n", "2", "-d", "0.1", name).splitlines()) == 5, "two reports, a line between them"
    print(f"{name}: {line['mips']:.1f} MIPS")


def check_counts(accel, native, counts, fallbacks):
    """Numbers of vCPU 0, paused, against what there is to count."""
    jit = {k: v for k, v in counts.items() if k.startswith("jit-")}
    if accel == "interp":
        assert not any(jit.values()) and not fallbacks, (jit, fallbacks)
        return
    assert jit["jit-cache-bytes"] == CACHE and 0 < jit["jit-code-bytes"] < CACHE
    assert 0 < jit["jit-blocks"] <= jit["jit-translations"] <= jit["jit-translated-instructions"]
    assert jit["jit-translations"] == jit["jit-blocks"] + jit["jit-evicted-blocks"] + jit["jit-dropped-blocks"]
    assert 0 < jit["jit-longest-translation"] <= jit["jit-translation-time"]
    assert jit["jit-lookup-misses"] > 0 and jit["jit-slow-stores"] >= (20 if native else 0)
    assert counts["instructions"] > jit["jit-translated-instructions"], "it is a loop"
    assert sum(fallbacks.values()) <= jit["jit-fallbacks"]
    if native:
        assert jit["jit-slow-loads"] > 0
    else:
        assert jit["jit-fallbacks"] > 1000 and fallbacks, (jit, fallbacks)


def check_machine(daemon, name, accel, *options):
    """Returns false where the host has no such accelerator."""
    create = ["create", name, "--cpus", str(CPUS), "--memory", "64M", "--kernel", GUEST, "--accel", accel, "--jit-cache",
              str(CACHE), *options]
    vmctl(*create)
    assert accel_shown(name) == (None, None), "it does not run"
    qmp = daemon.call("machine.start", name=name)["qmp"]
    effective, note = accel_shown(name)
    stats, _ = from_daemon(daemon, name)
    assert (stats["accel"], stats.get("accel-note")) == (effective, note)
    assert effective == accel or (accel == "auto" and effective in ("jit", "interp") and (effective == "jit" or note))
    machine = Machine(qmp)
    assert machine.execute("__org.vmd_query-stats")["accel"] == effective
    kinds = check_schema(machine)
    check_growth(machine, kinds)
    counts, fallbacks = check_paused(daemon, machine, name, kinds)
    check_counts(effective, "no-native" not in options, counts, fallbacks)
    check_top(name, effective)
    assert machine.execute("query-stats", target="vm") == []
    for arguments in ({}, {"target": "cpu"}, {"target": "vcpu", "providers": [{"provider": "kvm"}]}, {"target": "vcpu", "vcpu": []}):
        assert refused(machine.execute, "query-stats", **arguments)["class"] == "GenericError"
    assert "kvm" in refused(machine.execute, "query-stats-schemas", provider="kvm")["desc"]
    return effective


def check_refusals(daemon):
    """A machine that is not there, and one that does not run."""
    for name, kind, message, hint, status in (
            ("nobody", "DeviceNotFound", "there is no machine named 'nobody'", "'vmctl list' shows the machines", 3),
            ("idel", "DeviceNotFound", "there is no machine named 'idel'", "did you mean 'idle'?", 3),
            ("idle", "WrongState", "machine 'idle' is stopped; machine.stats needs it running, paused or stopping",
             "start it with 'vmctl start idle'", 4)):
        error = refused(daemon.call, "machine.stats", name=name)
        assert (error["message"], error["data"]["class"], error["data"]["hint"]) == (message, kind, hint), error
        for command in (["stats", name], ["top", "-n", "1", name]):
            said = vmctl(*command, status=status)
            assert said == f"vmctl: {message}\nhint: {hint}\n", said
    assert vmctl("top", "-n", "1").split()[0] == "NAME"
    assert "start it with 'vmctl start idle'" in vmctl("qmp", "idle", "query-stats", "target=vcpu", status=4)


def main():
    if not os.access(GUEST, os.X_OK):
        print("no cross compiler: no guest")
        return 77
    directory = tempfile.mkdtemp(prefix="vmd-stats.")
    os.environ.update(VMD_RUNTIME_DIR=directory + "/run", VMD_STATE_DIR=directory + "/state")
    os.environ.pop("VMD_SOCKET", None)
    try:
        subprocess.run([os.path.join(HERE, "vmd/vmd"), "-d"], check=True)
        daemon = Daemon(directory + "/run/vmd.sock")
        vmctl("create", "idle", "--memory", "64M", "--kernel", GUEST)
        check_refusals(daemon)
        effective = check_machine(daemon, "default", "auto")
        check_machine(daemon, "interpreted", "interp")
        if effective == "jit":
            check_machine(daemon, "translated", "jit")
            check_machine(daemon, "calling", "jit", "--jit-debug", "no-native")
            check_machine(daemon, "compared", "verify")
        else:
            print("the host does not let code be translated")
        vmctl("kill", "default")
        assert accel_shown("default") == (None, None), "it does not run any more"
        assert "'vmctl start default'" in vmctl("stats", "default", status=4)
    finally:
        for name in ("idle", "default", "interpreted", "translated", "calling", "compared"):
            subprocess.run([os.path.join(HERE, "vmctl/vmctl"), "--no-start", "delete", "-f", name], capture_output=True, check=False)
        subprocess.run([os.path.join(HERE, "vmctl/vmctl"), "--no-start", "api", "daemon.shutdown"], capture_output=True, check=False)
        shutil.rmtree(directory, ignore_errors=True)
    return 0


sys.exit(main())
