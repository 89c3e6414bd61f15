import assert from "node:assert/strict";
import {test} from "node:test";

import {Carillon, Problem, verify} from "carillon";
import {cut, event, problem, says, script, stream} from "./server.js";

const ring = {id: "r1", state: "ringing", ended_at: null};
const open = ({url}, options = {}) => new Carillon({url: url + "/", key: "crl_test_x", ...options});

test("place is repeated under one key", async (t) => {
	const server = await script(t, cut, says(503, "{}", {"Retry-After": "0"}), says(409, problem(409, "idempotency_in_flight")), says(200, ring));
	assert.equal((await open(server).rings.place({to: {person: "ana"}})).id, "r1");
	assert.equal(server.heard.length, 4);
	assert.equal(new Set(server.heard.map((h) => h.key + h.body)).size, 1);
	assert.match(server.heard[0].key, /^.{20,}$/);
});

test("the caller's key is sent", async (t) => {
	const server = await script(t, says(201, ring));
	await open(server).rings.place({to: {person: "ana"}}, {idempotencyKey: "lead-4711"});
	assert.equal(server.heard[0].key, "lead-4711");
});

test("only what is safe is repeated", async (t) => {
	let server = await script(t, cut);
	await assert.rejects(open(server).rings.transfer("r1", {person: "ana"}));
	assert.equal(server.heard.length, 1);
	server = await script(t, says(429, "{}", {"Retry-After": "0"}), says(202, ring));
	await open(server).rings.transfer("r1", {person: "ana"});
	server = await script(t, says(429, problem(429, "quota"), {"Retry-After": "3600"}));
	await assert.rejects(open(server).rings.place({to: {person: "ana"}}), {name: "Problem", code: "quota"});
	server = await script(t, cut, says(404, "{}"));
	await open(server).devices.remove("d1");
	server = await script(t, says(404, problem(404, "not_found")));
	await assert.rejects(open(server).devices.remove("d1"), {code: "not_found"});
});

test("retries end, and none can be asked for", async (t) => {
	const server = await script(t, cut, cut, cut);
	await assert.rejects(open(server, {retries: 1}).rings.get("r1"));
	assert.equal(server.heard.length, 2);
	await assert.rejects(open({url: "http://127.0.0.1:9"}, {retries: 0}).rings.get("r1"), /no server answers at|fetch failed|bad port/);
});

test("problems say what to do", async (t) => {
	const fields = [{field: "ttl_s", message: "5 to 60 seconds"}];
	let server = await script(t, says(400, problem(400, "invalid", {errors: fields})));
	await assert.rejects(open(server).rings.place({to: {person: "ana"}}), (p) => {
		assert.ok(p instanceof Problem && p instanceof Error);
		assert.deepEqual([p.code, p.status, p.requestId, p.fields], ["invalid", 400, "q1", fields]);
		assert.equal(p.message, "It was refused.; ttl_s: 5 to 60 seconds");
		return true;
	});
	server = await script(t, says(301, "", {Location: "https://ring.example.com/v1/rings"}));
	await assert.rejects(open(server).rings.place({to: {person: "ana"}}), /names https:\/\/ring\.example\.com/);
	server = await script(t, says(500, "<html>", {"Content-Type": "text/html"}));
	await assert.rejects(open(server).rings.get("r1"), {code: "", message: /not as Carillon does/});
	assert.throws(() => new Carillon({url: "ring.example.com", key: "x"}), /is not the address of a server/);
	assert.throws(() => new Carillon({url: "https://ring.example.com", key: ""}), /API key is missing/);
});

test("pages are followed", async (t) => {
	const server = await script(t, says(200, {data: [{id: "d1"}, {id: "d2"}], next: "b 2"}), says(200, {data: [{id: "d3"}], next: null}));
	const ids = [];
	for await (const device of open(server).devices.all({person: "ana"})) ids.push(device.id);
	assert.deepEqual(ids, ["d1", "d2", "d3"]);
	assert.equal(server.heard[1].url, "/v1/devices?person=ana&after=b+2");
});

test("follow misses nothing", async (t) => {
	const ended = {...ring, state: "declined", ended_at: "2026-11-27T08:00:09Z"};
	const server = await script(t,
		stream(false, event(1, "placed", "placed"), event(2, "sent", "pushed"), "id: 3\nevent: half"), says(200, ring),
		cut, stream(true), says(200, ended), stream(true, event(3, "shown", "ringing"), event(4, "declined", "declined")));
	const facts = [];
	for await (const fact of open(server).rings.follow("r1")) facts.push(`${fact.id} ${fact.kind}`);
	assert.deepEqual(facts, ["1 placed", "2 sent", "3 shown", "4 declined"]);
	assert.equal(server.heard[2].last, "2");
	assert.equal(server.heard.length, 6);
});

test("events miss nothing", async (t) => {
	const all = (n, kind, state) => event(n, kind, state).replace(`id: ${n}`, `id: 0-${n}`);
	const server = await script(t, stream(true), stream(false, all(1, "placed", "placed"), "id: 3\nevent: half"), cut,
		stream(true, all(2, "ended", "ended")), says(410, problem(410, "event_too_old")));
	const facts = [];
	await assert.rejects(async () => {
		for await (const fact of open(server).events.follow({person: "ana"})) facts.push(`${fact.id} ${fact.kind}`);
	}, {status: 410});
	assert.deepEqual(facts, ["0-1 placed", "0-2 ended"]);
	assert.deepEqual([server.heard[1].url, server.heard[4].last], ["/v1/events?person=ana", "0-2"]);
});

test("quiet followers come back", async (t) => {
	const server = await script(t, stream(true, "id: 0-6\n\n", "id: 0-7\n\n"),
		stream(true, "id: 0-7\n\n", event("0-9", "ended", "ended")), stream(true, "id: 0-12\n\n"), says(410, problem(410, "event_too_old")));
	const facts = [];
	await assert.rejects(async () => {
		for await (const fact of open(server).events.follow()) facts.push(fact.id);
	}, {status: 410});
	assert.deepEqual(facts, ["0-9"]);
	assert.deepEqual(server.heard.map(({last}) => last), [undefined, "0-7", "0-9", "0-12"]);
});

test("follow ends", async (t) => {
	let server = await script(t, stream(true, event(1, "placed", "placed"), event(2, "sent", "pushed")));
	for await (const fact of open(server).rings.follow("r1")) {
		assert.equal(fact.kind, "placed");
		break;
	}
	server = await script(t, stream(true), says(401, problem(401, "unauthorized")));
	await assert.rejects(open(server).rings.follow("r1").next(), {status: 401});
	const stop = new AbortController();
	server = await script(t, (response) => {
		response.writeHead(200, {"Content-Type": "text/event-stream"});
		response.write(event(1, "placed", "placed"));
	});
	const facts = open(server).rings.follow("r1", {signal: stop.signal});
	await facts.next();
	stop.abort(new Error("enough"));
	await assert.rejects(facts.next(), /enough/);
});

test("a signal ends a pause", async (t) => {
	const server = await script(t, says(429, "{}", {"Retry-After": "50"}));
	const placed = open(server).rings.place({to: {person: "ana"}}, {signal: AbortSignal.timeout(50)});
	await assert.rejects(placed, {name: "TimeoutError"});
});

// The example of the specification of Standard Webhooks, and what must not pass.
test("verify", async () => {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
	const body = '{"test": 2432232314}';
	const headers = {
		"Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
		"webhook-timestamp": "1614265330",
		"webhook-signature": "v1a,bm90aGluZw== v1,bm90aGluZw== v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
	};
	const at = (minutes) => new Date((1614265330 + minutes * 60) * 1000);
	await verify(secret, headers, body, at(4));
	await verify(secret, new Headers(headers), new TextEncoder().encode(body), at(0));
	const refuses = (words, ...args) => assert.rejects(verify(...args), {name: "WebhookError", message: words});
	await refuses(/check this machine's clock/, secret, headers, body, at(6));
	await refuses(/check this machine's clock/, secret, headers, body, at(-6));
	await refuses(/no signature/, secret, headers, "{}", at(0));
	await refuses(/no signature/, "whsec_b3RoZXI=", headers, body, at(0));
	await refuses(/copy it again/, "whsec_", headers, body, at(0));
	await refuses(/not a number/, secret, {...headers, "webhook-timestamp": "soon"}, body, at(0));
	await refuses(/not a number/, secret, {...headers, "webhook-timestamp": "9".repeat(400)}, body, at(0));
	await refuses(/is missing/, secret, {}, body, at(0));
});
