// The client of Carillon's API. It needs fetch, WebCrypto and streams, so it runs on Node 18 and
// later, and on edge runtimes. Start with the class Carillon.

import type {components, operations} from "./api.gen.js";
import {either, Problem, Sender, type Options, type Request} from "./send.js";
import {events} from "./events.js";
import {webCrypto} from "./crypto.js";

export {Problem, type FieldError, type Options} from "./send.js";
export {verify, WebhookError, type WebhookHeaders} from "./webhook.js";
export type {components, operations, paths} from "./api.gen.js";

/** Types of the API by their names in the OpenAPI file. */
export type Schemas = components["schemas"];
export type Ring = Schemas["Ring"];
export type RingRequest = Schemas["RingRequest"];
export type RingEvent = Schemas["RingEvent"];
export type Device = Schemas["Device"];
export type Agent = Schemas["Agent"];
export type Credential = Schemas["Credential"];
export type Connection = Schemas["Connection"];

/** A fact of a ring, as `rings.follow` and `events.follow` give it. `id` is for `after` of the same method. */
export type Fact = RingEvent & {id: string};

/** One page of a list, newest entries first. `next` is null on the last page. */
export interface Page<T> {data: T[]; next: string | null}

/** What every method takes last. */
export interface CallOptions {signal?: AbortSignal}

/** Settings of `rings.place`. Without a key, one is made that lasts for the retries of this call. */
export interface PlaceOptions extends CallOptions {idempotencyKey?: string}

type Query<Op extends keyof operations> = NonNullable<operations[Op]["parameters"]["query"]>;
type Body<Op extends keyof operations> =
	operations[Op] extends {requestBody: {content: {"application/json": infer B}}} ? B : never;
type Content<R> = R extends {content: {"application/json": infer J}} ? J : never;
type Answer<Op extends keyof operations> = Content<operations[Op]["responses"][keyof operations[Op]["responses"] & (200 | 201 | 202)]>;

/** A file to upload: a Blob, or bytes. */
export type Upload = Blob | Uint8Array;

/** What `credentials.add` sends. A .p8 needs teamId and keyId; a .p12 may need its password. */
export interface CredentialUpload {
	file: Upload;
	fileName?: string;
	bundleId?: string;
	environment?: Schemas["Environment"];
	teamId?: string;
	keyId?: string;
	password?: string;
}

/** A client of one server with one API key. */
export class Carillon {
	readonly rings: Rings;
	readonly events: Events;
	readonly devices: Devices;
	readonly pairings: Pairings;
	readonly credentials: Credentials;
	readonly agents: Agents;
	readonly connections: Connections;
	readonly groups: Groups;
	readonly schedules: Schedules;
	readonly consents: Consents;
	readonly analytics: Analytics;
	readonly #sender: Sender;

	/** Sends nothing. Throws a TypeError if the address or the key cannot be right. */
	constructor(options: Options & {key: string | undefined}) {
		const sender = new Sender(options, options.key, "the API key is missing; create one under API keys in the console");
		this.#sender = sender;
		this.rings = new Rings(sender);
		this.events = new Events(sender);
		this.devices = new Devices(sender);
		this.pairings = new Pairings(sender);
		this.credentials = new Credentials(sender);
		this.agents = new Agents(sender);
		this.connections = new Connections(sender);
		this.groups = new Groups(sender);
		this.schedules = new Schedules(sender);
		this.consents = new Consents(sender);
		this.analytics = new Analytics(sender);
	}

	/** Sends any request of the API, with the same retries, and gives the answer if it is a success. */
	request(request: Request): Promise<Response> {
		return this.#sender.send(request);
	}
}

/** Places rings and reads them. */
export class Rings {
	readonly #sender: Sender;
	constructor(sender: Sender) { this.#sender = sender; }

	/** Rings a device or a person. Retries ring nobody twice. */
	async place(ring: RingRequest, options: PlaceOptions = {}): Promise<Ring> {
		const headers = {"Idempotency-Key": options.idempotencyKey ?? (await webCrypto()).randomUUID()};
		return this.#sender.json({method: "POST", path: "/v1/rings", json: ring, headers, ...signal(options)});
	}

	get(id: string, options: CallOptions = {}): Promise<Ring> {
		return this.#sender.json({method: "GET", path: `/v1/rings/${encodeURIComponent(id)}`, ...signal(options)});
	}

	list(query: Query<"listRings"> = {}, options: CallOptions = {}): Promise<Page<Ring>> {
		return this.#sender.json({method: "GET", path: "/v1/rings", query, ...signal(options)});
	}

	/** The rings of every page. */
	all(query: Query<"listRings"> = {}, options: CallOptions = {}): AsyncGenerator<Ring, void> {
		return all((after) => this.list({...query, ...after}, options));
	}

	/** Stops the phones, or hangs up an answered ring. */
	cancel(id: string, options: CallOptions = {}): Promise<Ring> {
		return this.#post(id, "cancel", undefined, options);
	}

	/** Gives a call to another agent or a person. */
	transfer(id: string, to: Schemas["TransferRequest"]["to"], options: CallOptions = {}): Promise<Ring> {
		return this.#post(id, "transfer", {to}, options);
	}

	/** Makes a token for an agent of yours that connects to the call. */
	join(id: string, options: CallOptions = {}): Promise<Schemas["Joined"]> {
		return this.#post(id, "join", undefined, options);
	}

	/** Reads what was said. */
	notes(id: string, options: CallOptions = {}): Promise<Schemas["Notes"]> {
		return this.#sender.json({method: "GET", path: `/v1/rings/${encodeURIComponent(id)}/notes`, ...signal(options)});
	}

	/** Adds to what was said. The same lines again are stored once. */
	addNotes(id: string, notes: Schemas["NewNotes"], options: CallOptions = {}): Promise<Answer<"addNotes">> {
		return this.#post(id, "notes", notes, options);
	}

	/** Reads the recording of a call: Ogg or WAV, see its Content-Type. */
	recording(id: string, options: CallOptions = {}): Promise<Response> {
		return this.#sender.send({method: "GET", path: `/v1/rings/${encodeURIComponent(id)}/recording`, ...signal(options)});
	}

	/**
	 * The facts of a ring, from the first one, or the one after `after`, until the ring has ended; each
	 * once. It connects again when the server ends the stream, restarts or is silent.
	 */
	async *follow(id: string, options: CallOptions & {after?: string} = {}): AsyncGenerator<Fact, void> {
		let last = options.after;
		let over = false;
		for (let empty = 0; ; empty++) {
			const before = last;
			let cut: unknown;
			try {
				for await (const event of this.#stream(id, last, options)) {
					if (event.id !== "") last = event.id;
					if (event.data === "") continue;
					const fact = JSON.parse(event.data) as RingEvent;
					over = ["ended", "declined", "missed", "cancelled", "failed"].includes(fact.state);
					yield {...fact, id: event.id};
				}
				if (over) return;
			} catch (error) {
				options.signal?.throwIfAborted();
				if (error instanceof Problem) throw error;
				cut = error;
			}
			if (last !== before) empty = 0;
			if (cut !== undefined && empty > this.#sender.retries) throw cut;
			if (empty > 0) await this.#sender.pause(Math.min(8000, 250 * 2 ** Math.min(empty, 8)), options.signal);
			// The stream may have ended before its last facts. If the ring has ended now, one more stream
			// has them all.
			over = (await this.get(id, options)).ended_at !== null;
		}
	}

	#stream(id: string, last: string | undefined, options: CallOptions) {
		return stream(this.#sender, {method: "GET", path: `/v1/rings/${encodeURIComponent(id)}/events`}, last, options);
	}

	#post<T>(id: string, what: string, json: unknown, options: CallOptions): Promise<T> {
		return this.#sender.json({method: "POST", path: `/v1/rings/${encodeURIComponent(id)}/${what}`, json, ...signal(options)});
	}
}

/** Follows the rings of an account. */
export class Events {
	readonly #sender: Sender;
	constructor(sender: Sender) { this.#sender = sender; }

	/**
	 * The facts of all rings that the query asks for, each once: those from now on, or behind the id
	 * `after`. It connects again when the server ends the stream, restarts or is silent, and it does not
	 * end by itself. Where too many streams are open when it connects again, it waits: the server may
	 * still count the stream that was lost.
	 */
	async *follow(query: Query<"followEvents"> = {}, options: CallOptions & {after?: string} = {}): AsyncGenerator<Fact, void> {
		let last = options.after;
		let begun = false;
		for (let failed = 0; ; failed++) {
			const before = last;
			let cut: unknown;
			let full = false;
			try {
				for await (const event of stream(this.#sender, {method: "GET", path: "/v1/events", query}, last, options)) {
					begun = true;
					if (event.id !== "") last = event.id;
					if (event.data !== "") yield {...(JSON.parse(event.data) as RingEvent), id: event.id};
				}
				begun = true;
			} catch (error) {
				options.signal?.throwIfAborted();
				// The server may still count the stream that was lost.
				full = begun && error instanceof Problem && [429, 503].includes(error.status);
				if (error instanceof Problem && !full) throw error;
				if (!full) cut = error;
			}
			if (cut === undefined || last !== before) failed = 0;
			if (cut !== undefined && failed > this.#sender.retries) throw cut;
			await this.#sender.pause(full ? 8000 : Math.min(8000, 250 * 2 ** Math.min(failed, 8)), options.signal);
		}
	}
}

/** The events of one connection, behind the one with the id `last`. */
async function* stream(sender: Sender, request: Request, last: string | undefined, options: CallOptions) {
	const silent = new AbortController();
	const headers: Record<string, string> = {Accept: "text/event-stream"};
	if (last !== undefined) headers["Last-Event-ID"] = last;
	const answer = await sender.send({...request, headers, signal: either(silent.signal, options.signal)});
	yield* events(answer.body, () => silent.abort(new Error("the server was silent for 20 s")));
}

/** Registers phones. */
export class Devices {
	readonly #sender: Sender;
	constructor(sender: Sender) { this.#sender = sender; }

	/** Registers a device. Its `credential` is shown only here. */
	add(device: Schemas["DeviceRequest"], options: CallOptions = {}): Promise<Schemas["RegisteredDevice"]> {
		return this.#sender.json({method: "POST", path: "/v1/devices", json: device, ...signal(options)});
	}

	get(id: string, options: CallOptions = {}): Promise<Device> {
		return this.#sender.json({method: "GET", path: `/v1/devices/${encodeURIComponent(id)}`, ...signal(options)});
	}

	list(query: Query<"listDevices"> = {}, options: CallOptions = {}): Promise<Page<Device>> {
		return this.#sender.json({method: "GET", path: "/v1/devices", query, ...signal(options)});
	}

	/** The devices of every page. */
	all(query: Query<"listDevices"> = {}, options: CallOptions = {}): AsyncGenerator<Device, void> {
		return all((after) => this.list({...query, ...after}, options));
	}

	/** Sets the fields that are given. */
	change(id: string, change: Schemas["DeviceChange"], options: CallOptions = {}): Promise<Device> {
		return this.#sender.json({method: "PATCH", path: `/v1/devices/${encodeURIComponent(id)}`, json: change, ...signal(options)});
	}

	/** Removes a device; it no longer rings. */
	async remove(id: string, options: CallOptions = {}): Promise<void> {
		await this.#sender.send({method: "DELETE", path: `/v1/devices/${encodeURIComponent(id)}`, ...signal(options)});
	}
}

/** Makes codes with which phones register themselves. */
export class Pairings {
	readonly #sender: Sender;
	constructor(sender: Sender) { this.#sender = sender; }

	/** Makes a code for one phone and ten minutes. */
	add(pairing: Body<"addPairing"> = {}, options: CallOptions = {}): Promise<Schemas["Pairing"]> {
		return this.#sender.json({method: "POST", path: "/v1/pairings", json: pairing, ...signal(options)});
	}
}

/** Keeps the Apple keys and certificates. */
export class Credentials {
	readonly #sender: Sender;
	constructor(sender: Sender) { this.#sender = sender; }

	/** Uploads a credential. The answer is what was read from the file, never the secret. */
	add(upload: CredentialUpload, options: CallOptions = {}): Promise<Credential> {
		const form = new FormData();
		const fields = {
			bundle_id: upload.bundleId, environment: upload.environment, team_id: upload.teamId, key_id: upload.keyId, password: upload.password,
		};
		for (const [name, value] of Object.entries(fields)) if (value !== undefined) form.append(name, value);
		form.append("file", blob(upload.file), upload.fileName ?? "credential");
		return this.#sender.json({method: "POST", path: "/v1/credentials", form, ...signal(options)});
	}

	get(id: string, options: CallOptions = {}): Promise<Credential> {
		return this.#sender.json({method: "GET", path: `/v1/credentials/${encodeURIComponent(id)}`, ...signal(options)});
	}

	list(query: Query<"listCredentials"> = {}, options: CallOptions = {}): Promise<Page<Credential>> {
		return this.#sender.json({method: "GET", path: "/v1/credentials", query, ...signal(options)});
	}

	/** The credentials of every page. */
	all(query: Query<"listCredentials"> = {}, options: CallOptions = {}): AsyncGenerator<Credential, void> {
		return all((after) => this.list({...query, ...after}, options));
	}

	change(id: string, change: Body<"changeCredential">, options: CallOptions = {}): Promise<Credential> {
		return this.#sender.json({method: "PATCH", path: `/v1/credentials/${encodeURIComponent(id)}`, json: change, ...signal(options)});
	}

	/** Sends a push to a token that no phone has, and explains Apple's answers. */
	test(id: string, options: CallOptions = {}): Promise<Schemas["Probe"]> {
		return this.#sender.json({method: "POST", path: `/v1/credentials/${encodeURIComponent(id)}/probe`, ...signal(options)});
	}

	/** Changes places between a credential and the previous one. */
	rollBack(id: string, options: CallOptions = {}): Promise<Credential> {
		return this.#sender.json({method: "POST", path: `/v1/credentials/${encodeURIComponent(id)}/rollback`, ...signal(options)});
	}

	async remove(id: string, options: CallOptions = {}): Promise<void> {
		await this.#sender.send({method: "DELETE", path: `/v1/credentials/${encodeURIComponent(id)}`, ...signal(options)});
	}
}

/** Keeps the voice agents. */
export class Agents {
	readonly #sender: Sender;
	constructor(sender: Sender) { this.#sender = sender; }

	add(agent: Schemas["AgentRequest"], options: CallOptions = {}): Promise<Agent> {
		return this.#sender.json({method: "POST", path: "/v1/agents", json: agent, ...signal(options)});
	}

	get(id: string, options: CallOptions = {}): Promise<Agent> {
		return this.#sender.json({method: "GET", path: `/v1/agents/${encodeURIComponent(id)}`, ...signal(options)});
	}

	list(query: Query<"listAgents"> = {}, options: CallOptions = {}): Promise<Page<Agent>> {
		return this.#sender.json({method: "GET", path: "/v1/agents", query, ...signal(options)});
	}

	/** The agents of every page. */
	all(query: Query<"listAgents"> = {}, options: CallOptions = {}): AsyncGenerator<Agent, void> {
		return all((after) => this.list({...query, ...after}, options));
	}

	/** Sets the fields that are given. */
	change(id: string, change: Schemas["AgentChange"], options: CallOptions = {}): Promise<Agent> {
		return this.#sender.json({method: "PATCH", path: `/v1/agents/${encodeURIComponent(id)}`, json: change, ...signal(options)});
	}

	/** Uploads what a built-in agent announces: an Ogg Opus file of at most 2 MiB. */
	announce(id: string, file: Upload, options: CallOptions = {}): Promise<Agent> {
		const form = new FormData();
		form.append("file", blob(file), "announcement.ogg");
		return this.#sender.json({method: "POST", path: `/v1/agents/${encodeURIComponent(id)}/announcement`, form, ...signal(options)});
	}

	async remove(id: string, options: CallOptions = {}): Promise<void> {
		await this.#sender.send({method: "DELETE", path: `/v1/agents/${encodeURIComponent(id)}`, ...signal(options)});
	}
}

/** Keeps your systems that Carillon sends events to. */
export class Connections {
	readonly #sender: Sender;
	constructor(sender: Sender) { this.#sender = sender; }

	/** Creates a connection. The `secret` of the answer, for `verify`, is shown only here. */
	add(connection: Schemas["ConnectionRequest"], options: CallOptions = {}): Promise<Connection> {
		return this.#sender.json({method: "POST", path: "/v1/connections", json: connection, ...signal(options)});
	}

	/** With its figures of the last 24 hours. */
	get(id: string, options: CallOptions = {}): Promise<Connection> {
		return this.#sender.json({method: "GET", path: `/v1/connections/${encodeURIComponent(id)}`, ...signal(options)});
	}

	list(query: Query<"listConnections"> = {}, options: CallOptions = {}): Promise<Page<Connection>> {
		return this.#sender.json({method: "GET", path: "/v1/connections", query, ...signal(options)});
	}

	/** The connections of every page. */
	all(query: Query<"listConnections"> = {}, options: CallOptions = {}): AsyncGenerator<Connection, void> {
		return all((after) => this.list({...query, ...after}, options));
	}

	/** Sets the fields that are given. */
	change(id: string, change: Schemas["ConnectionChange"], options: CallOptions = {}): Promise<Connection> {
		return this.#sender.json({method: "PATCH", path: `/v1/connections/${encodeURIComponent(id)}`, json: change, ...signal(options)});
	}

	/** The requests that were sent to a connection, of every page. */
	attempts(id: string, query: Query<"listAttempts"> = {}, options: CallOptions = {}): AsyncGenerator<Schemas["DeliveryAttempt"], void> {
		const path = `/v1/connections/${encodeURIComponent(id)}/attempts`;
		return all((after) => this.#sender.json({method: "GET", path, query: {...query, ...after}, ...signal(options)}));
	}

	/** Sends an event at once and gives the answer. Without an event it is the first that the connection takes. */
	test(id: string, event?: Schemas["EventKind"], options: CallOptions = {}): Promise<Schemas["DeliveryAttempt"]> {
		return this.#post(id, "test", {event}, options);
	}

	/** Sends one event again, or all of a time, and says how many. */
	replay(id: string, what: Body<"replay">, options: CallOptions = {}): Promise<Answer<"replay">> {
		return this.#post(id, "replay", what, options);
	}

	/** Makes a new signing secret. The old one signs too for 24 hours. */
	rotateSecret(id: string, options: CallOptions = {}): Promise<Answer<"rotateSecret">> {
		return this.#post(id, "secret", undefined, options);
	}

	async remove(id: string, options: CallOptions = {}): Promise<void> {
		await this.#sender.send({method: "DELETE", path: `/v1/connections/${encodeURIComponent(id)}`, ...signal(options)});
	}

	#post<T>(id: string, what: string, json: unknown, options: CallOptions): Promise<T> {
		return this.#sender.json({method: "POST", path: `/v1/connections/${encodeURIComponent(id)}/${what}`, json, ...signal(options)});
	}
}

/** Keeps groups of persons who are rung together. */
export class Groups {
	readonly #sender: Sender;
	constructor(sender: Sender) { this.#sender = sender; }

	add(group: Schemas["GroupRequest"], options: CallOptions = {}): Promise<Schemas["Group"]> {
		return this.#sender.json({method: "POST", path: "/v1/groups", json: group, ...signal(options)});
	}

	get(id: string, options: CallOptions = {}): Promise<Schemas["Group"]> {
		return this.#sender.json({method: "GET", path: `/v1/groups/${encodeURIComponent(id)}`, ...signal(options)});
	}

	list(query: Query<"listGroups"> = {}, options: CallOptions = {}): Promise<Page<Schemas["Group"]>> {
		return this.#sender.json({method: "GET", path: "/v1/groups", query, ...signal(options)});
	}

	/** The groups of every page. */
	all(query: Query<"listGroups"> = {}, options: CallOptions = {}): AsyncGenerator<Schemas["Group"], void> {
		return all((after) => this.list({...query, ...after}, options));
	}

	/** Sets the fields that are given. */
	change(id: string, change: Schemas["GroupChange"], options: CallOptions = {}): Promise<Schemas["Group"]> {
		return this.#sender.json({method: "PATCH", path: `/v1/groups/${encodeURIComponent(id)}`, json: change, ...signal(options)});
	}

	/** Who a ring to the group would ring now, or at another moment, and why. It rings nobody. */
	now(id: string, query: Query<"whoRings"> = {}, options: CallOptions = {}): Promise<Answer<"whoRings">> {
		return this.#sender.json({method: "GET", path: `/v1/groups/${encodeURIComponent(id)}/now`, query, ...signal(options)});
	}

	async remove(id: string, options: CallOptions = {}): Promise<void> {
		await this.#sender.send({method: "DELETE", path: `/v1/groups/${encodeURIComponent(id)}`, ...signal(options)});
	}
}

/** Keeps when persons of groups are on duty. */
export class Schedules {
	readonly #sender: Sender;
	constructor(sender: Sender) { this.#sender = sender; }

	add(schedule: Schemas["ScheduleRequest"], options: CallOptions = {}): Promise<Schemas["Schedule"]> {
		return this.#sender.json({method: "POST", path: "/v1/schedules", json: schedule, ...signal(options)});
	}

	get(id: string, options: CallOptions = {}): Promise<Schemas["Schedule"]> {
		return this.#sender.json({method: "GET", path: `/v1/schedules/${encodeURIComponent(id)}`, ...signal(options)});
	}

	list(query: Query<"listSchedules"> = {}, options: CallOptions = {}): Promise<Page<Schemas["Schedule"]>> {
		return this.#sender.json({method: "GET", path: "/v1/schedules", query, ...signal(options)});
	}

	/** The schedules of every page. */
	all(query: Query<"listSchedules"> = {}, options: CallOptions = {}): AsyncGenerator<Schemas["Schedule"], void> {
		return all((after) => this.list({...query, ...after}, options));
	}

	/** Sets the fields that are given. */
	change(id: string, change: Schemas["ScheduleChange"], options: CallOptions = {}): Promise<Schemas["Schedule"]> {
		return this.#sender.json({method: "PATCH", path: `/v1/schedules/${encodeURIComponent(id)}`, json: change, ...signal(options)});
	}

	async remove(id: string, options: CallOptions = {}): Promise<void> {
		await this.#sender.send({method: "DELETE", path: `/v1/schedules/${encodeURIComponent(id)}`, ...signal(options)});
	}
}

/** Records consents of persons to be called. */
export class Consents {
	readonly #sender: Sender;
	constructor(sender: Sender) { this.#sender = sender; }

	add(consent: Schemas["ConsentRequest"], options: CallOptions = {}): Promise<Schemas["Consent"]> {
		return this.#sender.json({method: "POST", path: "/v1/consents", json: consent, ...signal(options)});
	}

	get(id: string, options: CallOptions = {}): Promise<Schemas["Consent"]> {
		return this.#sender.json({method: "GET", path: `/v1/consents/${encodeURIComponent(id)}`, ...signal(options)});
	}

	list(query: Query<"listConsents"> = {}, options: CallOptions = {}): Promise<Page<Schemas["Consent"]>> {
		return this.#sender.json({method: "GET", path: "/v1/consents", query, ...signal(options)});
	}

	/** The consents of every page. */
	all(query: Query<"listConsents"> = {}, options: CallOptions = {}): AsyncGenerator<Schemas["Consent"], void> {
		return all((after) => this.list({...query, ...after}, options));
	}

	async withdraw(id: string, options: CallOptions = {}): Promise<void> {
		await this.#sender.send({method: "DELETE", path: `/v1/consents/${encodeURIComponent(id)}`, ...signal(options)});
	}
}

/** Counts rings. */
export class Analytics {
	readonly #sender: Sender;
	constructor(sender: Sender) { this.#sender = sender; }

	/** How many rings reach each step, and how fast. */
	funnel(query: Query<"funnel"> = {}, options: CallOptions = {}): Promise<Schemas["Funnel"]> {
		return this.#sender.json({method: "GET", path: "/v1/analytics/funnel", query, ...signal(options)});
	}

	/** Why phones showed no call, and how late pushes arrived. */
	outcomes(query: Query<"outcomes"> = {}, options: CallOptions = {}): Promise<Schemas["Outcomes"]> {
		return this.#sender.json({method: "GET", path: "/v1/analytics/outcomes", query, ...signal(options)});
	}

	/** Which phones and app versions no longer wake. */
	callkit(options: CallOptions = {}): Promise<Schemas["CallKit"]> {
		return this.#sender.json({method: "GET", path: "/v1/analytics/callkit", ...signal(options)});
	}
}

/** What an app on a phone does, with its device credential. */
export class Phone {
	readonly #sender: Sender;

	constructor(options: Options & {credential: string | undefined}) {
		this.#sender = new Sender(options, options.credential, "the device credential is missing; register the device, or pair it");
	}

	/** Whether this phone should ring, and who calls. */
	ring(id: string, options: CallOptions = {}): Promise<Schemas["PhoneRing"]> {
		return this.#sender.json({method: "GET", path: `/v1/phone/rings/${encodeURIComponent(id)}`, ...signal(options)});
	}

	/** Reports what happened. A repeated or late report changes nothing. */
	report(id: string, kind: string, at = new Date(), options: CallOptions = {}): Promise<Answer<"reportFact">> {
		const json = {kind, at: at.toISOString(), sent_at: new Date().toISOString()};
		return this.#sender.json({method: "POST", path: `/v1/phone/rings/${encodeURIComponent(id)}/facts`, json, ...signal(options)});
	}

	/** Sends the SDP offer of the phone and gives the answer. */
	async answer(id: string, offer: string, options: CallOptions = {}): Promise<string> {
		const path = `/v1/phone/rings/${encodeURIComponent(id)}/answer`;
		const headers = {"Content-Type": "application/sdp"};
		return (await this.#sender.send({method: "POST", path, text: offer, headers, ...signal(options)})).text();
	}

	/** Ends the call. */
	async hangUp(id: string, options: CallOptions = {}): Promise<void> {
		await this.#sender.send({method: "DELETE", path: `/v1/phone/rings/${encodeURIComponent(id)}/leg`, ...signal(options)});
	}
}

async function* all<T>(fetch: (after: {after?: string}) => Promise<Page<T>>): AsyncGenerator<T, void> {
	for (let after: {after?: string} = {}; ; ) {
		const page = await fetch(after);
		yield* page.data;
		if (page.next === null) return;
		after = {after: page.next};
	}
}

function signal(options: CallOptions): CallOptions {
	return options.signal === undefined ? {} : {signal: options.signal};
}

function blob(file: Upload): Blob {
	return file instanceof Blob ? file : new Blob([file as Uint8Array<ArrayBuffer>]);
}
