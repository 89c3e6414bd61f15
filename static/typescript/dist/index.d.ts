import type { components, operations } from "./api.gen.js";
import { Sender, type Options, type Request } from "./send.js";
export { Problem, type FieldError, type Options } from "./send.js";
export { verify, WebhookError, type WebhookHeaders } from "./webhook.js";
export type { components, operations, paths } from "./api.gen.js";
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
export type Fact = RingEvent & {
    id: string;
};
/** One page of a list, newest entries first. `next` is null on the last page. */
export interface Page<T> {
    data: T[];
    next: string | null;
}
/** What every method takes last. */
export interface CallOptions {
    signal?: AbortSignal;
}
/** Settings of `rings.place`. Without a key, one is made that lasts for the retries of this call. */
export interface PlaceOptions extends CallOptions {
    idempotencyKey?: string;
}
type Query<Op extends keyof operations> = NonNullable<operations[Op]["parameters"]["query"]>;
type Body<Op extends keyof operations> = operations[Op] extends {
    requestBody: {
        content: {
            "application/json": infer B;
        };
    };
} ? B : never;
type Content<R> = R extends {
    content: {
        "application/json": infer J;
    };
} ? J : never;
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
export declare class Carillon {
    #private;
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
    /** Sends nothing. Throws a TypeError if the address or the key cannot be right. */
    constructor(options: Options & {
        key: string | undefined;
    });
    /** Sends any request of the API, with the same retries, and gives the answer if it is a success. */
    request(request: Request): Promise<Response>;
}
/** Places rings and reads them. */
export declare class Rings {
    #private;
    constructor(sender: Sender);
    /** Rings a device or a person. Retries ring nobody twice. */
    place(ring: RingRequest, options?: PlaceOptions): Promise<Ring>;
    get(id: string, options?: CallOptions): Promise<Ring>;
    list(query?: Query<"listRings">, options?: CallOptions): Promise<Page<Ring>>;
    /** The rings of every page. */
    all(query?: Query<"listRings">, options?: CallOptions): AsyncGenerator<Ring, void>;
    /** Stops the phones, or hangs up an answered ring. */
    cancel(id: string, options?: CallOptions): Promise<Ring>;
    /** Gives a call to another agent or a person. */
    transfer(id: string, to: Schemas["TransferRequest"]["to"], options?: CallOptions): Promise<Ring>;
    /** Makes a token for an agent of yours that connects to the call. */
    join(id: string, options?: CallOptions): Promise<Schemas["Joined"]>;
    /** Reads what was said. */
    notes(id: string, options?: CallOptions): Promise<Schemas["Notes"]>;
    /** Adds to what was said. The same lines again are stored once. */
    addNotes(id: string, notes: Schemas["NewNotes"], options?: CallOptions): Promise<Answer<"addNotes">>;
    /** Reads the recording of a call: Ogg or WAV, see its Content-Type. */
    recording(id: string, options?: CallOptions): Promise<Response>;
    /**
     * The facts of a ring, from the first one, or the one after `after`, until the ring has ended; each
     * once. It connects again when the server ends the stream, restarts or is silent.
     */
    follow(id: string, options?: CallOptions & {
        after?: string;
    }): AsyncGenerator<Fact, void>;
}
/** Follows the rings of an account. */
export declare class Events {
    #private;
    constructor(sender: Sender);
    /**
     * The facts of all rings that the query asks for, each once: those from now on, or behind the id
     * `after`. It connects again when the server ends the stream, restarts or is silent, and it does not
     * end by itself. Where too many streams are open when it connects again, it waits: the server may
     * still count the stream that was lost.
     */
    follow(query?: Query<"followEvents">, options?: CallOptions & {
        after?: string;
    }): AsyncGenerator<Fact, void>;
}
/** Registers phones. */
export declare class Devices {
    #private;
    constructor(sender: Sender);
    /** Registers a device. Its `credential` is shown only here. */
    add(device: Schemas["DeviceRequest"], options?: CallOptions): Promise<Schemas["RegisteredDevice"]>;
    get(id: string, options?: CallOptions): Promise<Device>;
    list(query?: Query<"listDevices">, options?: CallOptions): Promise<Page<Device>>;
    /** The devices of every page. */
    all(query?: Query<"listDevices">, options?: CallOptions): AsyncGenerator<Device, void>;
    /** Sets the fields that are given. */
    change(id: string, change: Schemas["DeviceChange"], options?: CallOptions): Promise<Device>;
    /** Removes a device; it no longer rings. */
    remove(id: string, options?: CallOptions): Promise<void>;
}
/** Makes codes with which phones register themselves. */
export declare class Pairings {
    #private;
    constructor(sender: Sender);
    /** Makes a code for one phone and ten minutes. */
    add(pairing?: Body<"addPairing">, options?: CallOptions): Promise<Schemas["Pairing"]>;
}
/** Keeps the Apple keys and certificates. */
export declare class Credentials {
    #private;
    constructor(sender: Sender);
    /** Uploads a credential. The answer is what was read from the file, never the secret. */
    add(upload: CredentialUpload, options?: CallOptions): Promise<Credential>;
    get(id: string, options?: CallOptions): Promise<Credential>;
    list(query?: Query<"listCredentials">, options?: CallOptions): Promise<Page<Credential>>;
    /** The credentials of every page. */
    all(query?: Query<"listCredentials">, options?: CallOptions): AsyncGenerator<Credential, void>;
    change(id: string, change: Body<"changeCredential">, options?: CallOptions): Promise<Credential>;
    /** Sends a push to a token that no phone has, and explains Apple's answers. */
    test(id: string, options?: CallOptions): Promise<Schemas["Probe"]>;
    /** Changes places between a credential and the previous one. */
    rollBack(id: string, options?: CallOptions): Promise<Credential>;
    remove(id: string, options?: CallOptions): Promise<void>;
}
/** Keeps the voice agents. */
export declare class Agents {
    #private;
    constructor(sender: Sender);
    add(agent: Schemas["AgentRequest"], options?: CallOptions): Promise<Agent>;
    get(id: string, options?: CallOptions): Promise<Agent>;
    list(query?: Query<"listAgents">, options?: CallOptions): Promise<Page<Agent>>;
    /** The agents of every page. */
    all(query?: Query<"listAgents">, options?: CallOptions): AsyncGenerator<Agent, void>;
    /** Sets the fields that are given. */
    change(id: string, change: Schemas["AgentChange"], options?: CallOptions): Promise<Agent>;
    /** Uploads what a built-in agent announces: an Ogg Opus file of at most 2 MiB. */
    announce(id: string, file: Upload, options?: CallOptions): Promise<Agent>;
    remove(id: string, options?: CallOptions): Promise<void>;
}
/** Keeps your systems that Carillon sends events to. */
export declare class Connections {
    #private;
    constructor(sender: Sender);
    /** Creates a connection. The `secret` of the answer, for `verify`, is shown only here. */
    add(connection: Schemas["ConnectionRequest"], options?: CallOptions): Promise<Connection>;
    /** With its figures of the last 24 hours. */
    get(id: string, options?: CallOptions): Promise<Connection>;
    list(query?: Query<"listConnections">, options?: CallOptions): Promise<Page<Connection>>;
    /** The connections of every page. */
    all(query?: Query<"listConnections">, options?: CallOptions): AsyncGenerator<Connection, void>;
    /** Sets the fields that are given. */
    change(id: string, change: Schemas["ConnectionChange"], options?: CallOptions): Promise<Connection>;
    /** The requests that were sent to a connection, of every page. */
    attempts(id: string, query?: Query<"listAttempts">, options?: CallOptions): AsyncGenerator<Schemas["DeliveryAttempt"], void>;
    /** Sends an event at once and gives the answer. Without an event it is the first that the connection takes. */
    test(id: string, event?: Schemas["EventKind"], options?: CallOptions): Promise<Schemas["DeliveryAttempt"]>;
    /** Sends one event again, or all of a time, and says how many. */
    replay(id: string, what: Body<"replay">, options?: CallOptions): Promise<Answer<"replay">>;
    /** Makes a new signing secret. The old one signs too for 24 hours. */
    rotateSecret(id: string, options?: CallOptions): Promise<Answer<"rotateSecret">>;
    remove(id: string, options?: CallOptions): Promise<void>;
}
/** Keeps groups of persons who are rung together. */
export declare class Groups {
    #private;
    constructor(sender: Sender);
    add(group: Schemas["GroupRequest"], options?: CallOptions): Promise<Schemas["Group"]>;
    get(id: string, options?: CallOptions): Promise<Schemas["Group"]>;
    list(query?: Query<"listGroups">, options?: CallOptions): Promise<Page<Schemas["Group"]>>;
    /** The groups of every page. */
    all(query?: Query<"listGroups">, options?: CallOptions): AsyncGenerator<Schemas["Group"], void>;
    /** Sets the fields that are given. */
    change(id: string, change: Schemas["GroupChange"], options?: CallOptions): Promise<Schemas["Group"]>;
    /** Who a ring to the group would ring now, or at another moment, and why. It rings nobody. */
    now(id: string, query?: Query<"whoRings">, options?: CallOptions): Promise<Answer<"whoRings">>;
    remove(id: string, options?: CallOptions): Promise<void>;
}
/** Keeps when persons of groups are on duty. */
export declare class Schedules {
    #private;
    constructor(sender: Sender);
    add(schedule: Schemas["ScheduleRequest"], options?: CallOptions): Promise<Schemas["Schedule"]>;
    get(id: string, options?: CallOptions): Promise<Schemas["Schedule"]>;
    list(query?: Query<"listSchedules">, options?: CallOptions): Promise<Page<Schemas["Schedule"]>>;
    /** The schedules of every page. */
    all(query?: Query<"listSchedules">, options?: CallOptions): AsyncGenerator<Schemas["Schedule"], void>;
    /** Sets the fields that are given. */
    change(id: string, change: Schemas["ScheduleChange"], options?: CallOptions): Promise<Schemas["Schedule"]>;
    remove(id: string, options?: CallOptions): Promise<void>;
}
/** Records consents of persons to be called. */
export declare class Consents {
    #private;
    constructor(sender: Sender);
    add(consent: Schemas["ConsentRequest"], options?: CallOptions): Promise<Schemas["Consent"]>;
    get(id: string, options?: CallOptions): Promise<Schemas["Consent"]>;
    list(query?: Query<"listConsents">, options?: CallOptions): Promise<Page<Schemas["Consent"]>>;
    /** The consents of every page. */
    all(query?: Query<"listConsents">, options?: CallOptions): AsyncGenerator<Schemas["Consent"], void>;
    withdraw(id: string, options?: CallOptions): Promise<void>;
}
/** Counts rings. */
export declare class Analytics {
    #private;
    constructor(sender: Sender);
    /** How many rings reach each step, and how fast. */
    funnel(query?: Query<"funnel">, options?: CallOptions): Promise<Schemas["Funnel"]>;
    /** Why phones showed no call, and how late pushes arrived. */
    outcomes(query?: Query<"outcomes">, options?: CallOptions): Promise<Schemas["Outcomes"]>;
    /** Which phones and app versions no longer wake. */
    callkit(options?: CallOptions): Promise<Schemas["CallKit"]>;
}
/** What an app on a phone does, with its device credential. */
export declare class Phone {
    #private;
    constructor(options: Options & {
        credential: string | undefined;
    });
    /** Whether this phone should ring, and who calls. */
    ring(id: string, options?: CallOptions): Promise<Schemas["PhoneRing"]>;
    /** Reports what happened. A repeated or late report changes nothing. */
    report(id: string, kind: string, at?: Date, options?: CallOptions): Promise<Answer<"reportFact">>;
    /** Sends the SDP offer of the phone and gives the answer. */
    answer(id: string, offer: string, options?: CallOptions): Promise<string>;
    /** Ends the call. */
    hangUp(id: string, options?: CallOptions): Promise<void>;
}
