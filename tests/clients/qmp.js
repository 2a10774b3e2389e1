// SPDX-License-Identifier: BSD-2-Clause
// A machine's QMP socket, with two independent clients: qemu-qmp, which wants the
// greeting alone in its first read and sends no newlines, and node-qemu.
"use strict";
const { load, assert, call, once, qmp, rejects, run, withMachine } = require("./common.js");

// ---- qemu-qmp: callbacks, replies in order, no ids ----

const QMP = load("qemu-qmp");

const connect = (socket) => new Promise((resolve, reject) => {
	const client = new QMP();
	client.connect(socket, (error) => error ? reject(error) : resolve(client));
});

const execute = (client, ...command) => new Promise((resolve, reject) =>
	client.execute(...command, (error, result) => error ? reject(error) : resolve(result)));

const callbacks = async (socket) => {
	const client = await connect(socket);
	const seen = [];
	for (const event of ["stop", "resume", "reset", "powerdown", "shutdown"])
		client.on(event, () => seen.push(event));
	assert.equal(typeof client.version.qemu.major, "number");
	assert.deepEqual(client.capabilities, ["oob"]);
	assert.equal((await execute(client, "query-status")).status, "running");
	const cpus = await execute(client, "query-cpus-fast");
	assert.equal(cpus.length, 1);
	assert.equal(cpus[0]["cpu-index"], 0);
	assert.equal(cpus[0].target, "aarch64");
	assert.deepEqual((await execute(client, "query-version")).qemu, client.version.qemu);
	const names = (await execute(client, "query-commands")).map((c) => c.name);
	assert.ok(names.includes("query-status") && names.includes("quit"));
	const schema = await execute(client, "query-qmp-schema");
	assert.deepEqual(schema.filter((s) => s["meta-type"] === "command").map((s) => s.name).sort(), names.sort());
	await execute(client, "stop");
	assert.deepEqual(seen, ["stop"]);
	assert.equal((await execute(client, "query-status")).status, "paused");
	await execute(client, "cont");
	assert.deepEqual(seen, ["stop", "resume"]);
	await execute(client, "cont");
	await execute(client, "system_reset");
	assert.deepEqual(seen, ["stop", "resume", "reset"]);
	assert.match(await execute(client, "human-monitor-command", { "command-line": "info status" }), /^VM status: running\r\n$/);
	await rejects(execute(client, "no-such-command"), /^The command no-such-command has not been found$/);
	await rejects(execute(client, "human-monitor-command"), /'command-line'.* is missing/);
	// Many in flight: replies come in order.
	const many = await Promise.all(Array.from({ length: 50 }, (_, i) => execute(client, i % 2 ? "query-name" : "query-status")));
	many.forEach((r, i) => assert.ok(i % 2 ? "name" in r : "status" in r));
	await execute(client, "quit");
	await once(client, "close");
	assert.deepEqual(seen, ["stop", "resume", "reset", "shutdown"]);
};

// ---- node-qemu: promises, out of band, reconnection ----

const { QMPClient } = load("node-qemu");

const open = async (socketPath, options) => {
	const client = new QMPClient({ socketPath, reconnectDelay: 100000, ...options });
	client.on("error", () => {});
	await client.connect();
	return client;
};

const promises = async (socketPath) => {
	const client = await open(socketPath);
	const events = [];
	client.on("rawEvent", (e) => events.push(e));
	assert.equal((await client.queryStatus()).running, true);
	assert.equal((await client.queryCpusFast()).length, 1);
	assert.equal((await client.queryName()).name, "client-node-qemu");
	assert.equal((await client.queryKvm()).present, false);
	assert.match((await client.queryUuid()).UUID, /^[0-9a-f-]{36}$/);
	assert.ok((await client.queryMemorySizeSummary())["base-memory"] === 67108864);
	assert.ok((await client.queryChardev()).some((c) => c.label === "serial0"));
	assert.ok((await client.qomList("/machine")).length > 0);
	await client.stop();
	await client.cont();
	await client.systemReset();
	assert.deepEqual(events.map((e) => e.event), ["STOP", "RESUME", "RESET"]);
	assert.deepEqual(events[2].data, { guest: false, reason: "host-qmp-system-reset" });
	for (const e of events)
		assert.ok(e.timestamp.seconds > 1e9 && e.timestamp.microseconds < 1e6);
	assert.match(await client.humanMonitorCommand("nonsense"), /unknown command: 'nonsense'\r\n/);
	await rejects(client.execute("qom-get", { path: "/nowhere", property: "type" }), /nowhere/);
	const powered = once(client, "SHUTDOWN");
	await client.systemPowerdown();
	assert.deepEqual(events.slice(3).map((e) => e.event).slice(0, 1), ["POWERDOWN"]);
	assert.deepEqual((await powered)[0], { guest: true, reason: "guest-shutdown" });
	await client.close();
};

const severalAtOnce = async (socketPath) => {
	const clients = await Promise.all(Array.from({ length: 12 }, (_, i) => open(socketPath, { oob: i % 2 === 1 })));
	const stopped = clients.map((c) => once(c, "STOP"));
	await clients[0].stop();
	await Promise.all(stopped);
	const states = await Promise.all(clients.map((c) => c.queryStatus()));
	assert.ok(states.every((s) => s.status === "paused"));
	await clients[11].cont();
	await Promise.all(clients.slice(1).map((c) => c.close()));
	const ended = once(clients[0], "SHUTDOWN");
	await clients[0].quit();
	assert.deepEqual((await ended)[0], { guest: false, reason: "host-qmp-quit" });
	await clients[0].close();
	const { end } = await call("machine.wait", { name: "client-several", state: "stopped" });
	assert.equal(end.reason, "host-quit");
};

run({
	"qemu-qmp": () => withMachine("client-qemu-qmp", callbacks),
	"node-qemu": () => withMachine("client-node-qemu", promises),
	"several clients at once": () => withMachine("client-several", severalAtOnce),
});
