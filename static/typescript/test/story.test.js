// The story of README against the real program, whose path is in CARILLON.
import assert from "node:assert/strict";
import {execFile, spawn} from "node:child_process";
import {mkdtemp, readFile, rm, writeFile} from "node:fs/promises";
import {tmpdir} from "node:os";
import path from "node:path";
import {createServer} from "node:http";
import {createInterface} from "node:readline";
import {test} from "node:test";
import {promisify} from "node:util";

import {Carillon, Phone, verify} from "carillon";

const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);

// start runs `carillon dev` until its one line says that it is ready.
async function start(data, addr) {
	const child = spawn(process.env.CARILLON, ["dev", "--addr", addr, "--data", data, "--no-history", "--json"], {
		stdio: ["ignore", "pipe", "inherit"],
	});
	const ended = new Promise((done) => child.once("exit", done));
	const ready = await new Promise((resolve, reject) => {
		createInterface(child.stdout).once("line", (line) => resolve(JSON.parse(line)));
		child.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
	});
	const stop = () => {
		child.kill("SIGTERM");
		return ended;
	};
	return {...ready, stop};
}

// An offer that the server can answer. No sound ever comes.
const offer = ["v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0", "m=audio 9 UDP/TLS/RTP/SAVPF 111 0",
	"c=IN IP4 0.0.0.0", "a=mid:0", "a=ice-ufrag:abcd", "a=ice-pwd:abcdefghijklmnopqrstuvwx",
	`a=fingerprint:sha-256 ${Array(32).fill("AB").join(":")}`, "a=setup:actpass", "a=rtcp-mux", "a=sendrecv",
	"a=rtpmap:111 opus/48000/2", "a=rtpmap:0 PCMU/8000", ""].join("\r\n");

// receiver takes webhooks. next gives the next one.
async function receiver(t) {
	const came = [];
	let wake = () => {};
	const server = createServer((request, response) => {
		let body = "";
		request.on("data", (part) => (body += part));
		request.on("end", () => {
			came.push({headers: request.headers, body});
			response.end();
			wake();
		});
	});
	await new Promise((done) => server.listen(0, "127.0.0.1", done));
	t.after(() => server.close());
	const next = async () => {
		while (came.length === 0) await new Promise((done) => (wake = done));
		return came.shift();
	};
	return {url: `http://127.0.0.1:${server.address().port}/hooks`, next};
}

// kinds calls accepted once Apple has accepted the push: a phone cannot answer sooner.
async function kinds(facts, accepted) {
	const list = [];
	for await (const fact of facts) {
		list.push(fact.kind);
		if (fact.kind === "accepted") accepted?.();
	}
	return list.filter((kind) => !kind.startsWith("agent_"));
}

test("the story of README", {skip: process.env.CARILLON ? false : "set CARILLON to the path of the program"}, async (t) => {
	const data = await mkdtemp(path.join(tmpdir(), "carillon-"));
	let server = await start(data, "127.0.0.1:0");
	t.after(async () => {
		await server.stop();
		await rm(data, {recursive: true});
	});
	const carillon = new Carillon({url: server.url, key: server.api_key});
	const phone = new Phone({url: server.url, credential: server.device_credential});
	const to = {device: server.device_id};

	await t.test("a ring is placed, answered and over", async () => {
		const ring = await carillon.rings.place({to, reference: "story"});
		let followed;
		await new Promise((accepted) => (followed = kinds(carillon.rings.follow(ring.id), accepted)));
		await phone.report(ring.id, "woke");
		await phone.report(ring.id, "shown");
		assert.equal((await phone.ring(ring.id)).rings, true);
		assert.match(await phone.answer(ring.id, offer), /^v=0/);
		await phone.hangUp(ring.id);
		assert.deepEqual(await followed, ["placed", "sent", "accepted", "woke", "shown", "answered", "hung_up"]);
		const {state, call} = await carillon.rings.get(ring.id);
		assert.deepEqual([state, call?.ended_by], ["ended", "phone_hung_up"]);
		const {added} = await carillon.rings.addNotes(ring.id, {summary: "They hung up.", lines: []});
		assert.equal(added, 0);
	});

	await t.test("a webhook is verified", async () => {
		const hooks = await receiver(t);
		const {id, secret} = await carillon.connections.add({name: "Story", role: "webhook", url: hooks.url, events: ["ring.ended"]});
		const ring = await carillon.rings.place({to, reference: "webhook"});
		await phone.report(ring.id, "declined");
		const {headers, body} = await hooks.next();
		await verify(secret, headers, body);
		await assert.rejects(verify(secret, headers, body + " "), {name: "WebhookError"});
		assert.equal(JSON.parse(body).type, "ring.ended");
		await carillon.connections.remove(id);
	});

	await t.test("the example of README", async () => {
		const readme = await readFile(path.join(here, "../README.md"), "utf8");
		const example = path.join(here, "example.js"); // beside the package, whose name it imports
		await writeFile(example, /```js\n([^]*?)```/.exec(readme)[1]);
		const env = {...process.env, CARILLON_URL: server.url, CARILLON_API_KEY: server.api_key};
		const {stdout} = await promisify(execFile)(process.execPath, [example], {env}).finally(() => rm(example));
		assert.match(stdout, / placed[^]* declined[^]*declined: /);
	});

	await t.test("a retry across a restart makes one ring", async () => {
		const place = () => carillon.rings.place({to, reference: "restart", ttl_s: 60}, {idempotencyKey: "restart-1"});
		const first = await place();
		const followed = kinds(carillon.rings.follow(first.id));
		await server.stop();
		const second = place(); // no server answers yet
		server = await start(data, new URL(server.url).host);
		assert.equal((await second).id, first.id);
		await phone.report(first.id, "declined");
		assert.equal((await followed).at(-1), "declined");
		const rings = [];
		for await (const ring of carillon.rings.all({q: "restart"})) rings.push(ring.id);
		assert.deepEqual(rings, [first.id]);
	});
});
