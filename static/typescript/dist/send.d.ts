/** Settings of a client. */
export interface Options {
    /** Address of the server, such as https://ring.example.com. It is checked, so that it may come from the environment. */
    url: string | undefined;
    /** How often a request is sent again after the first time. 5 if left out, 0 for never. */
    retries?: number;
    /** Milliseconds until an answer must begin. 30,000 if left out. */
    timeout?: number;
    /** Sends the requests in place of the runtime's fetch. */
    fetch?: typeof fetch;
}
/** One request. At most one of json, form and text is its body. */
export interface Request {
    method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
    path: string;
    query?: Record<string, string | number | boolean | null | undefined>;
    headers?: Record<string, string>;
    json?: unknown;
    form?: FormData;
    text?: string;
    signal?: AbortSignal;
}
/** A wrong field of a request. */
export interface FieldError {
    field: string;
    message: string;
}
/** An error that the server answered (RFC 9457). */
export declare class Problem extends Error {
    readonly name = "Problem";
    /** Address of the error's section in the documentation; about:blank if something else answered. */
    readonly type: string;
    /** The fixed word of the error, such as no_devices. Empty if something else than Carillon answered. */
    readonly code: string;
    readonly status: number;
    readonly title: string;
    readonly detail: string;
    readonly fields: FieldError[];
    /** Give it to the operator when you ask about an error. */
    readonly requestId: string | undefined;
    constructor(p: {
        type: string;
        status: number;
        title: string;
        detail: string;
        errors?: FieldError[];
        request_id?: string;
    });
}
/** Sends requests, and sends them again where that can do no harm. */
export declare class Sender {
    #private;
    readonly retries: number;
    constructor(options: Options, bearer: string | undefined, missing: string);
    /** The JSON of a successful answer. */
    json<T>(request: Request): Promise<T>;
    /** A successful answer. Any other is thrown as a Problem. */
    send(request: Request): Promise<Response>;
    /** Waits, or throws the reason of the signal. */
    pause(ms: number, signal?: AbortSignal): Promise<void>;
}
/** A signal that follows both. */
export declare function either(one: AbortSignal, other: AbortSignal | undefined): AbortSignal;
