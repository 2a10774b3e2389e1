// SPDX-License-Identifier: BSD-2-Clause
// What the client tests share: finding the clients' modules, the daemon's socket
// and a machine of one's own; steps with a time limit.
"use strict";
const net = require("node:net");
const path = require("node:path");
const assert = require("node:assert/strict");

const LIMIT_MS = 20000;

// A module from the folder that tests/clients/fetch has filled.
exports.load = require("node:module").createRequire(path.join(process.env.VMD_CLIENTS, "package.json"));
exports.daemon = path.join(process.env.VMD_RUNTIME_DIR, "vmd.sock");
exports.guest = process.env.VMD_TEST_GUEST;
exports.qmp = (name) => path.join(process.env.VMD_RUNTIME_DIR, "machines", name, "qmp.sock");
exports.assert = assert;

// One JSON-RPC call on a connection of its own, by hand: what sets a test up must not depend on what it tests.
exports.call = (method, params) => new Promise((resolve, reject) => {
	const socket = net.connect(exports.daemon);
	let text = "";
	socket.on("error", reject);
	socket.on("data", (data) => {
		text += data;
		if (!text.includes("\n"))
			return;
		const reply = JSON.parse(text);
		socket.end();
		if (reply.error)
			reject(new Error(`${method}: ${reply.error.message}`));
		else
			resolve(reply.result);
	});
	socket.write(JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }) + "\n");
});

exports.definition = (name) => ({ name, memory: 67108864, kernel: exports.guest });

// A running machine, deleted whatever happens.
exports.withMachine = async (name, fn) => {
	await exports.call("machine.create", { definition: exports.definition(name), start: true });
	try {
		await fn(exports.qmp(name));
	} finally {
		await exports.call("machine.delete", { name, force: true });
	}
};

// Resolves with the first of the emitter's events, and its arguments.
exports.once = (emitter, event) => new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));

exports.rejects = async (promise, pattern) => assert.rejects(promise, (e) => pattern.test(e.message ?? String(e)));

// Runs the tests one after the other; the first failure ends the program.
exports.run = async (tests) => {
	for (const [name, fn] of Object.entries(tests)) {
		const timer = setTimeout(() => {
			console.error(`FAILED: ${name}: no end after ${LIMIT_MS} ms`);
			process.exit(1);
		}, LIMIT_MS);
		try {
			await fn();
			console.log(`ok: ${name}`);
		} catch (e) {
			console.error(`FAILED: ${name}:`, e);
			process.exit(1);
		}
		clearTimeout(timer);
	}
	process.exit(0);
};
