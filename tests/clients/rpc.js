// SPDX-License-Identifier: BSD-2-Clause
// The daemon's socket, with three independent JSON-RPC clients (jayson,
// vscode-jsonrpc with its Content-Length framing, json-rpc-2.0), and its
// description, checked by @open-rpc/schema-utils-js.
"use strict";
const net = require("node:net");
const readline = require("node:readline");
const { load, assert, call, daemon, definition, once, rejects, run } = require("./common.js");

const deleteQuietly = (name) => call("machine.delete", { name, force: true }).catch(() => {});

// ---- jayson: a connection a request; the first line on it is the reply ----

const jayson = load("jayson");

const withJayson = async () => {
	const client = jayson.Client.tcp({ path: daemon });
	const request = (...args) => new Promise((resolve, reject) =>
		client.request(...args, (error, reply) => error ? reject(error) : resolve(reply)));
	const name = "client-jayson";
	await deleteQuietly(name);
	const created = await request("machine.create", { definition: definition(name) });
	assert.equal(created.result.definition.cpus, 1);
	assert.equal(created.result.status.state, "stopped");
	// By position as well.
	assert.equal((await request("machine.status", [name])).result.state, "stopped");
	const again = await request("machine.create", { definition: definition(name) });
	assert.equal(again.error.code, -32007);
	assert.equal(again.error.data.class, "Exists");
	assert.equal((await request("machine.start", { name })).result.state, "running");
	assert.equal((await request("machine.stop", { name, timeout: 20 })).result.end.reason, "guest-shutdown");
	assert.equal((await request("machine.wait", { name, state: "stopped" })).result.state, "stopped");
	assert.equal((await request("machine.wait", { name, state: "running", timeout: 0.1 })).error.code, -32005);
	assert.equal((await request("machine.stop", { name })).error.code, -32002);
	assert.equal((await request("machine.delete", { name })).result, null);
	assert.equal((await request("machine.status", { name })).error.code, -32001);
	assert.equal((await request("machine.statos", { name })).error.code, -32601);
	assert.equal((await request("machine.status", { nome: name })).error.code, -32602);
	assert.equal((await request("machine.status", [name, name])).error.code, -32602);
	// A batch: replies may come in any order, and none for the notification.
	const batch = await request([
		client.request("daemon.version", {}, undefined, false), client.request("no.such", {}, undefined, false),
		client.request("daemon.status", {}, null, false), client.request("machine.list", [], undefined, false),
	]);
	assert.equal(batch.length, 3);
	assert.deepEqual(batch.map((r) => r.error ? r.error.code : 0).sort(), [-32601, 0, 0]);
	// A notification gets nothing, not even for a mistake.
	await new Promise((resolve, reject) => client.request("daemon.version", {}, null, (e) => e ? reject(e) : resolve()));
};

// ---- vscode-jsonrpc: Content-Length, requests both in flight and pushed notifications ----

const vscode = load("vscode-jsonrpc/node");

const withVscode = async () => {
	const socket = net.connect(daemon);
	await once(socket, "connect");
	const peer = vscode.createMessageConnection(new vscode.StreamMessageReader(socket), new vscode.StreamMessageWriter(socket));
	const events = [];
	let wake = () => {};
	peer.onNotification("event", (e) => { events.push(e); wake(); });
	peer.listen();
	const name = "client-vscode";
	await deleteQuietly(name);
	const start = await peer.sendRequest("events.subscribe", { machines: [name] });
	assert.equal(start.gap, false);
	await peer.sendRequest("machine.create", { definition: definition(name) });
	// Three at once; the slow one does not hold up the others.
	const waiting = peer.sendRequest("machine.wait", { name, state: "running", timeout: 15 });
	const [version, started] = await Promise.all([
		peer.sendRequest("daemon.version"), peer.sendRequest("machine.start", { name, paused: true })]);
	assert.equal(version.protocol, 1);
	assert.equal(started.state, "paused");
	await peer.sendRequest("machine.resume", { name });
	assert.equal((await waiting).state, "running");
	await rejects(peer.sendRequest("machine.resume", { name: "../etc" }), /'\.\.\/etc'/);
	await peer.sendNotification("machine.pause", { name });
	await peer.sendRequest("machine.wait", { name, state: "paused" });
	await peer.sendRequest("machine.delete", { name, force: true });
	while (!events.some((e) => e.event === "machine-deleted"))
		await new Promise((resolve) => { wake = resolve; });
	assert.equal(events[0].event, "machine-defined");
	for (let i = 1; i < events.length; i++) {
		assert.ok(events[i].seq > events[i - 1].seq);
		assert.equal(events[i].epoch, start.epoch);
	}
	const states = events.filter((e) => e.event === "machine-state-changed").map((e) => e.data.to);
	assert.deepEqual(states.slice(0, 4), ["starting", "paused", "running", "paused"]);
	assert.ok(events.some((e) => e.event === "guest-event" && e.data.event === "RESUME"));
	peer.dispose();
	socket.destroy();

	// Another connection, later: the cursor brings what came after it, in order, once.
	const from = events[1];
	const missed = await resumed({ epoch: from.epoch, seq: from.seq }, name, events.length - 2);
	assert.deepEqual(missed.subscription, { epoch: from.epoch, seq: from.seq, gap: false });
	assert.deepEqual(missed.events, events.slice(2));
	// A cursor of another epoch, or ahead of the stream, is a gap; nothing old is sent.
	assert.equal((await resumed({ epoch: "another", seq: 1 }, name, 0)).subscription.gap, true);
	assert.equal((await resumed({ epoch: from.epoch, seq: 1e9 }, name, 0)).subscription.gap, true);
};

// Subscribes since a cursor, with lines, and takes `n` events.
const resumed = (since, name, n) => new Promise((resolve, reject) => {
	const socket = net.connect(daemon);
	const got = { events: [] };
	socket.on("error", reject);
	readline.createInterface({ input: socket }).on("line", (line) => {
		const message = JSON.parse(line);
		if (message.id === 1)
			got.subscription = message.result;
		else
			got.events.push(message.params);
		if (got.subscription && got.events.length === n) {
			socket.destroy();
			resolve(got);
		}
	});
	socket.write(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "events.subscribe", params: { since, machines: [name] } }) + "\n");
});

// ---- json-rpc-2.0: brings no transport; here one line a message ----

const { JSONRPCClient, createJSONRPCRequest } = load("json-rpc-2.0");

const withJsonRpc20 = async () => {
	const socket = net.connect(daemon);
	const client = new JSONRPCClient((message) => { socket.write(JSON.stringify(message) + "\n"); });
	readline.createInterface({ input: socket }).on("line", (line) => client.receive(JSON.parse(line)));
	const name = "client-json-rpc";
	await deleteQuietly(name);
	const info = await client.request("machine.create", { definition: definition(name), start: true });
	assert.equal(info.status.state, "running");
	assert.equal((await client.request("machine.qmp", { name, command: "query-status" })).running, true);
	await rejects(client.request("machine.qmp", { name, command: "qom-get", arguments: { path: "/x", property: "y" } }), /\/x/);
	await rejects(client.request("machine.delete", { name }), /running/);
	client.notify("machine.pause", { name });
	assert.equal((await client.request("machine.wait", { name, state: "paused", timeout: 10 })).state, "paused");
	const replies = await client.requestAdvanced([
		createJSONRPCRequest("a", "machine.status", { name }), createJSONRPCRequest("b", "machine.kill", { name })]);
	assert.deepEqual(replies.map((r) => r.id).sort(), ["a", "b"]);
	assert.equal(replies.find((r) => r.id === "b").result.state, "stopped");
	await client.request("machine.delete", { name });
	// A hundred in flight.
	const many = await Promise.all(Array.from({ length: 100 }, () => client.request("daemon.version")));
	assert.ok(many.every((v) => v.protocol === 1));
	socket.destroy();
};

// ---- The description ----

const { parseOpenRPCDocument, validateOpenRPCDocument } = load("@open-rpc/schema-utils-js");

const description = async () => {
	const document = await call("rpc.discover");
	const verdict = validateOpenRPCDocument(structuredClone(document));
	assert.equal(verdict, true, verdict?.message);
	// Every reference resolves, and every method but the description of itself is there to be called.
	const parsed = await parseOpenRPCDocument(structuredClone(document));
	assert.ok(parsed.methods.length > 20);
	for (const method of parsed.methods)
		for (const param of method.params)
			assert.ok(param.name && param.schema, method.name);
};

run({
	"jayson": withJayson,
	"vscode-jsonrpc": withVscode,
	"json-rpc-2.0": withJsonRpc20,
	"@open-rpc/schema-utils-js": description,
});
