# SPDX-License-Identifier: BSD-2-Clause
"""
A machine's QMP socket, with the clients that are written in Python: qemu.qmp and
its qmp-shell, and labgrid's monitor, which sends no ids and reads line by line.

Each test wants a running machine of its own; their names are the arguments, in
the order of TESTS.
"""
import asyncio
import importlib.util
import os
import socket
import subprocess
import sys

CLIENTS = os.environ["VMD_CLIENTS"]
sys.path.insert(0, os.path.join(CLIENTS, "python"))

from qemu.qmp import EventListener, ExecuteError, QMPClient  # noqa: E402  pylint: disable=wrong-import-position


def qmp_socket(name):
    return os.path.join(os.environ["VMD_RUNTIME_DIR"], "machines", name, "qmp.sock")


async def client_session(path):
    qmp = QMPClient("test")
    await qmp.connect(path)
    assert "oob" in qmp.greeting.QMP.capabilities
    status = await qmp.execute("query-status")
    assert status["status"] == "running" and status["running"] is True, status
    assert len(await qmp.execute("query-cpus-fast")) == 1
    version = await qmp.execute("query-version")
    assert version["qemu"]["major"] >= 7 and version["package"].startswith("vmd"), version
    names = {c["name"] for c in await qmp.execute("query-commands")}
    schema = await qmp.execute("query-qmp-schema")
    described = {s["name"] for s in schema if s["meta-type"] == "command"}
    assert names == described, names ^ described
    types = {s["name"] for s in schema if s["meta-type"] not in ("command", "event")}
    for entity in schema:
        refs = [entity[k] for k in ("arg-type", "ret-type", "element-type") if k in entity]
        refs += [m["type"] for m in entity.get("members", []) if isinstance(m, dict) and "type" in m]
        assert set(refs) <= types, (entity["name"], set(refs) - types)

    # Events come before the reply of what caused them: they are there when it is.
    with qmp.listener() as events:
        await qmp.execute("stop")
        await qmp.execute("cont")
        await qmp.execute("system_reset")
        seen = [e["event"] for e in events.clear()]
    assert seen == ["STOP", "RESUME", "RESET"], seen

    text = await qmp.execute("human-monitor-command", {"command-line": "info cpus"})
    assert text.startswith("* CPU #0") and text.endswith("\r\n"), text
    for command, arguments, word in (
            ("no-such-command", None, "has not been found"),
            ("query-status", {"unknown": 1}, "'unknown'"),
            ("human-monitor-command", {"command-line": 5}, "string"),
            ("qom-get", {"path": "/none", "property": "type"}, "/none")):
        try:
            await qmp.execute(command, arguments)
            raise AssertionError(f"{command} should fail")
        except ExecuteError as error:
            assert word in str(error), error

    # Out of band, with the requests' order of the in-band ones kept.
    replies = await asyncio.gather(*(qmp.execute("query-name") for _ in range(40)))
    assert all(r == replies[0] for r in replies)

    # A descriptor, the way the client passes it.
    ours, theirs = socket.socketpair()
    with ours, theirs:
        qmp.send_fd_scm(theirs.fileno())
        await qmp.execute("getfd", {"fdname": "pair"})
        await qmp.execute("closefd", {"fdname": "pair"})

    others = [QMPClient(f"other{i}") for i in range(4)]
    listeners = [EventListener("STOP") for _ in others]
    for other, listener in zip(others, listeners):
        await other.connect(path)
        other.register_listener(listener)
    await qmp.execute("stop")
    for listener in listeners:
        assert (await asyncio.wait_for(listener.get(), 10))["event"] == "STOP"
    await others[0].execute("cont")
    for other in others:
        await other.disconnect()

    with qmp.listener() as events:
        await qmp.execute("system_powerdown")
        seen = []
        async for event in events:
            seen.append(event["event"])
            if event["event"] == "SHUTDOWN":
                assert event["data"] == {"guest": True, "reason": "guest-shutdown"}, event
                break
    assert "POWERDOWN" in seen, seen
    # The end of the stream is none that the client complains about.
    try:
        await qmp.disconnect()
    except EOFError:
        pass


def test_qmp(name):
    asyncio.run(asyncio.wait_for(client_session(qmp_socket(name)), 60))


def shell(name, lines, *options):
    program = "import sys; from qemu.qmp import qmp_shell; sys.exit(qmp_shell.main())"
    done = subprocess.run([sys.executable, "-c", program, *options, qmp_socket(name)], input="\n".join(lines) + "\n", text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=True,
                          env={**os.environ, "PYTHONPATH": os.path.join(CLIENTS, "python"), "HOME": os.environ["VMD_STATE_DIR"]})
    return done.stdout


def test_shell(name):
    said = shell(name, ["query-status", "qom-get path=/nowhere property=type", "stop", "query-status", "cont",
                        "system_reset", "human-monitor-command command-line=nonsense", "nonsense"])
    for word in ("Connected to QEMU 7.2", '"status": "running"', '"status": "paused"', "DeviceNotFound",
                 "unknown command: 'nonsense'", "CommandNotFound", '"return": {}'):
        assert word in said, (word, said)
    said = shell(name, ["info status", "info cpus", "nonsense"], "-H")
    for word in ("VM status: running", "* CPU #0", "unknown command: 'nonsense'"):
        assert word in said, (word, said)


def test_labgrid(name):
    spec = importlib.util.spec_from_file_location("labgrid_qmp", os.path.join(CLIENTS, "python/labgrid/qmp.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(30)
        sock.connect(qmp_socket(name))
        with sock.makefile("rb") as reader, sock.makefile("wb") as writer:
            monitor = module.QMPMonitor(reader, writer)
            assert monitor.execute("query-status")["status"] == "running"
            monitor.execute("stop")
            assert monitor.execute("query-status")["status"] == "paused"
            monitor.execute("cont")
            monitor.execute("system_reset")
            try:
                monitor.execute("no-such-command")
                raise AssertionError("should fail")
            except TypeError:
                pass  # it wants the error to be text, and says so instead of the error
            except module.QMPError as error:
                assert "CommandNotFound" in str(error)
            assert monitor.execute("quit") == {}
            assert reader.readline() == b""


TESTS = (test_qmp, test_shell, test_labgrid)

if __name__ == "__main__":
    for test, machine in zip(TESTS, sys.argv[1:], strict=True):
        test(machine)
        print(f"ok: {test.__name__[5:]}")
