#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
A daemon and a machine with clients that are broken, greedy or slow, on both
sockets: while they are at it, and afterwards, others are answered, and neither
process takes more memory than it may.

Runs in the build directory, with everything in a directory of its own. 'hostile.py
--long' does more of the same. The answer times are printed; only a hang fails.
"""
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

LONG = "--long" in sys.argv
HERE = os.getcwd()
GUEST = os.path.join(HERE, "tests/e2e/guest")
HANG = 10.0           # seconds: nothing takes so long, on the slowest machine
GROWTH = 96 << 20     # bytes: what clients together may make a process take
CLIENTS = 256
CAPABILITIES = b'{"execute": "qmp_capabilities"}'


class Target:
    """One of the two sockets: how to ask it something, and what a proper request is."""

    def __init__(self, name, path, pid, ask, request):
        self.name, self.path, self.pid, self.ask, self.request = name, path, pid, ask, request
        self.worst = 0.0
        self.start = self.rss()

    def rss(self):
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def connect(self, timeout=HANG):
        s = socket.socket(socket.AF_UNIX)
        s.connect(self.path)  # without a limit: with one, a full queue is an error at once
        s.settimeout(timeout)
        return s

    def probe(self):
        began = time.monotonic()
        self.ask(self)
        self.worst = max(self.worst, time.monotonic() - began)


def read_line(f):
    """The next line that is no event."""
    while True:
        line = f.readline()
        if not line.endswith(b"\n"):
            raise EOFError(f"hung up after {line!r}")
        if b'"event"' not in line:
            return line


def ask_daemon(target):
    with target.connect() as s, s.makefile("rb") as f:
        s.sendall(b'{"jsonrpc": "2.0", "id": 1, "method": "machine.status", "params": {"name": "one"}}\n')
        reply = json.loads(read_line(f))
        if "error" in reply:
            raise EOFError(reply)
        assert reply["result"]["state"] in ("running", "paused")


def ask_machine(target):
    with target.connect() as s, s.makefile("rb") as f:
        assert b"QMP" in read_line(f)
        s.sendall(CAPABILITIES)
        assert read_line(f) == b'{"return": {}}\r\n'
        s.sendall(b'{"execute": "query-status"}')
        assert b'"status"' in read_line(f)


def swallow(s, seconds):
    """Reads until the other side hangs up or says nothing for so long."""
    s.settimeout(seconds)
    try:
        while s.recv(65536):
            pass
    except (TimeoutError, ConnectionError):
        pass


def throw(s, data):
    """Sends what is taken."""
    try:
        s.sendall(data)
    except (TimeoutError, ConnectionError):
        pass


# ---- What bad clients do: each takes the target, and returns what it holds open ----

def malformed(target):
    rnd = random.Random(1)
    texts = [
        b"\0" * 5000, b"\xff" * 5000, b"}" * 5000, b'"' * 4999, b"'" * 4999, b"\\" * 5000, b"{" * 100000, b"[" * 100000,
        b'{"a":' * 100000, b'{"id":' + b"[" * 63 + b"]" * 63 + b"}", b'{"execute": "' + b"x" * 2000000 + b'"}\n',
        b"x" * 2000000, b'{"a": "\xed\xa0\x80"}\n', b'{"a": "\\ud800"}\n', b'{"a": "\\u0000"}\n', b'{"a": 1e999999}\n',
        b'{"a": ' + b"9" * 100000 + b"}\n", b"{" + b",".join(b'"k%d":0' % i for i in range(90000)) + b"}\n",
        b"[" + b",".join([target.request] * 64) + b"]\n", b"[" + b"1," * 100000 + b"1]\n", b"[]\n" * 2000, b"\n" * 100000,
        b"Content-Length: 99999999999999999999\r\n\r\n", b"Content-Length: -1\r\n\r\n{}", b"Content-Length: 5\r\n" * 5000,
        b"Content-Length: 0\r\n\r\n" * 500, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ]
    texts += [bytes(rnd.randrange(256) for _ in range(3000)) for _ in range(100 if LONG else 10)]
    for _ in range(300 if LONG else 40):
        broken = bytearray(target.request * 20)
        for _ in range(rnd.randrange(1, 8)):
            broken[rnd.randrange(len(broken))] = rnd.randrange(256)
        texts.append(bytes(broken))
    for i, text in enumerate(texts):
        with target.connect(2) as s:
            if i % 2:
                throw(s, CAPABILITIES)
            throw(s, text)
            s.shutdown(socket.SHUT_WR)
            swallow(s, 2)
        if i % 8 == 0:
            target.probe()
    return []


def never_reads(target):
    held = []
    for _ in range(32 if LONG else 8):
        s = target.connect(0.2)
        throw(s, CAPABILITIES)
        request = target.request * 1000
        for _ in range(200):
            try:
                s.sendall(request)
            except (TimeoutError, ConnectionError):
                break
        held.append(s)
    return held


def pipelines(target):
    """No bad client, only a hasty one: it gets all that it asked for."""
    n = 20000 if LONG else 4000
    with target.connect() as s, s.makefile("rb") as f:
        sender = threading.Thread(target=lambda: s.sendall(CAPABILITIES + b"\n" + target.request * n))
        sender.start()
        got = 0
        while got < n:
            got += b'"seven"' in read_line(f)
        sender.join()
    return []


def many_at_once(target):
    held = []
    for _ in range(CLIENTS):
        s = target.connect()
        throw(s, CAPABILITIES + target.request)
        held.append(s)
    answered = 0
    for s in held:
        try:
            with s.makefile("rb") as f:
                answered += b"already" not in read_line(f)
        except (EOFError, TimeoutError, ConnectionError):
            pass
    print(f"  {answered} of {CLIENTS} have been answered")
    for s in held[8:]:
        s.close()
    return held[:8]


def byte_by_byte(target):
    held = [target.connect() for _ in range(40)]
    for i in range(len(target.request)):
        for s in held:
            throw(s, target.request[i:i + 1])
    return held


def gone_at_each_byte(target):
    text = CAPABILITIES + target.request
    for n in range(len(text) + 1):
        for linger in (False, True):
            with target.connect() as s:
                throw(s, text[:n])
                if linger:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    return []


def descriptors(target):
    held = []
    with open("/dev/null", "rb") as f:
        for _ in range(20):
            s = target.connect(1)
            try:
                for _ in range(200):
                    socket.send_fds(s, [b" "], [f.fileno()] * 200)
            except (TimeoutError, ConnectionError, OSError):
                pass
            held.append(s)
    return held


def deaf_to_events(target):
    held = []
    for _ in range(8):
        s = target.connect()
        throw(s, CAPABILITIES)
        throw(s, b'{"jsonrpc": "2.0", "id": 1, "method": "events.subscribe"}\n')
        held.append(s)
    return held


ATTACKS = (malformed, never_reads, pipelines, many_at_once, byte_by_byte, gone_at_each_byte, descriptors, deaf_to_events)


def stir(vmctl, end):
    """Makes events until told to end; it may be turned away when clients are too many."""
    while not end.is_set():
        for command in ("pause", "resume"):
            subprocess.run(vmctl + [command, "one"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=HANG,
                           check=False)


def test(vmctl, targets):
    overall = {}
    for attack in ATTACKS:
        held = []
        for victim in targets:
            began = time.monotonic()
            print(f"{attack.__name__} on {victim.name}", flush=True)
            worker = threading.Thread(target=lambda v=victim: held.append(attack(v)))
            worker.start()
            while True:
                for target in targets:
                    # Those who come when the socket is full are turned away; that is no hang.
                    try:
                        target.probe()
                    except (EOFError, ConnectionError):
                        if attack is not many_at_once:
                            raise
                if not worker.is_alive():
                    break
                time.sleep(0.02)
            worker.join()
            assert len(held) == 1, "the attack failed; see above"
            for target in targets:
                target.probe()
                overall[target] = max(overall.get(target, 0), target.worst)
                grown = target.rss() - target.start
                assert grown < GROWTH, f"{target.name} has grown by {grown >> 20} MiB"
            for s in held.pop():
                s.close()
            print(f"  {time.monotonic() - began:.1f} s", *(
                f"{t.name} {t.worst * 1000:.0f} ms {(t.rss() - t.start) >> 10} KiB" for t in targets), sep=", ")
            for target in targets:
                target.worst = 0.0
    subprocess.run(vmctl + ["status", "one"], stdout=subprocess.DEVNULL, timeout=HANG, check=True)
    for target in targets:
        for _ in range(20):
            target.probe()
        fds = len(os.listdir(f"/proc/{target.pid}/fd"))
        print(f"{target.name}: slowest answer {overall[target] * 1000:.0f} ms, {fds} descriptors open")
        assert fds < 64, "descriptors leak"


def main():
    if not os.access(GUEST, os.X_OK):
        print("no cross compiler: no guest")
        return 77
    directory = tempfile.mkdtemp(prefix="vmd-hostile.")
    os.environ.update(VMD_RUNTIME_DIR=directory + "/run", VMD_STATE_DIR=directory + "/state")
    os.environ.pop("VMD_SOCKET", None)
    vmctl = [os.path.join(HERE, "vmctl/vmctl"), "--no-start"]
    end, stirrer = threading.Event(), None
    try:
        subprocess.run([os.path.join(HERE, "vmd/vmd"), "-d"], check=True)
        subprocess.run(vmctl + ["create", "one", "--memory", "64M", "--kernel", GUEST, "--start"], check=True)
        with open(directory + "/run/vmd.lock", encoding="ascii") as f:
            daemon = int(f.read())
        with open(directory + "/run/machines/one/pid.json", encoding="ascii") as f:
            machine = json.load(f)["pid"]
        targets = [
            Target("daemon", directory + "/run/vmd.sock", daemon, ask_daemon,
                   b'{"jsonrpc": "2.0", "id": "seven", "method": "machine.list", "params": {}}\n'),
            Target("machine", directory + "/run/machines/one/qmp.sock", machine, ask_machine,
                   b'{"execute": "query-cpus-fast", "id": "seven"}\r\n')]
        for target in targets:
            target.probe()
        stirrer = threading.Thread(target=stir, args=(vmctl, end))
        stirrer.start()
        test(vmctl, targets)
    finally:
        end.set()
        if stirrer:
            stirrer.join()
        subprocess.run(vmctl + ["delete", "-f", "one"], check=False)
        subprocess.run(vmctl + ["api", "daemon.shutdown"], stdout=subprocess.DEVNULL, check=False)
        shutil.rmtree(directory, ignore_errors=True)
    return 0


sys.exit(main())
