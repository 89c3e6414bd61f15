/** An error that the server answered (RFC 9457). */
export class Problem extends Error {
    name = "Problem";
    /** Address of the error's section in the documentation; about:blank if something else answered. */
    type;
    /** The fixed word of the error, such as no_devices. Empty if something else than Carillon answered. */
    code;
    status;
    title;
    detail;
    fields;
    /** Give it to the operator when you ask about an error. */
    requestId;
    constructor(p) {
        super([p.detail, ...(p.errors ?? []).map((e) => `${e.field}: ${e.message}`)].join("; "));
        this.type = p.type;
        this.code = p.type === "about:blank" ? "" : p.type.slice(Math.max(p.type.lastIndexOf("#"), p.type.lastIndexOf(":"), p.type.lastIndexOf("/")) + 1);
        this.status = p.status;
        this.title = p.title;
        this.detail = p.detail;
        this.fields = p.errors ?? [];
        this.requestId = p.request_id;
    }
}
const firstPause = 250;
const longestPause = 8_000;
const longestWaited = 60_000; // a Retry-After above it is the caller's to wait for
/** Sends requests, and sends them again where that can do no harm. */
export class Sender {
    retries;
    #base;
    #bearer;
    #timeout;
    #fetch;
    constructor(options, bearer, missing) {
        if (!bearer)
            throw new TypeError(missing);
        const url = options.url ?? "";
        if (!/^https?:\/\/[^/]/.test(url)) {
            throw new TypeError(`${JSON.stringify(url)} is not the address of a server; give one such as https://ring.example.com`);
        }
        this.#base = url.replace(/\/+$/, "");
        this.#bearer = bearer;
        this.retries = Math.max(0, options.retries ?? 5);
        this.#timeout = options.timeout ?? 30_000;
        this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
    }
    /** The JSON of a successful answer. */
    async json(request) {
        return (await (await this.send(request)).json());
    }
    /** A successful answer. Any other is thrown as a Problem. */
    async send(request) {
        let lost = false; // an earlier attempt may have been carried out
        for (let attempt = 0;; attempt++) {
            let answer;
            let error;
            try {
                answer = await this.#once(request);
            }
            catch (e) {
                request.signal?.throwIfAborted();
                error = e;
            }
            if (answer?.ok)
                return answer;
            if (answer?.status === 404 && lost && request.method === "DELETE")
                return new Response(null, { status: 204 });
            const wait = attempt < this.retries ? again(request, answer, error) : undefined;
            if (wait === undefined) {
                if (answer !== undefined)
                    throw await problem(answer);
                throw neverSent(error) ? new Error(`no server answers at ${this.#base}; check the address`, { cause: error }) : error;
            }
            await answer?.body?.cancel();
            lost ||= answer === undefined ? !neverSent(error) : answer.status >= 500;
            const pause = Math.min(longestPause, firstPause * 2 ** attempt);
            await this.pause(wait > 0 ? wait : pause / 2 + (Math.random() * pause) / 2, request.signal);
        }
    }
    /** Waits, or throws the reason of the signal. */
    pause(ms, signal) {
        return new Promise((resolve, reject) => {
            const abort = () => {
                clearTimeout(timer);
                reject(signal?.reason);
            };
            const timer = setTimeout(() => {
                signal?.removeEventListener("abort", abort);
                resolve();
            }, ms);
            if (signal?.aborted)
                abort();
            else
                signal?.addEventListener("abort", abort, { once: true });
        });
    }
    async #once(request) {
        const url = new URL(this.#base + request.path);
        for (const [name, value] of Object.entries(request.query ?? {})) {
            if (value !== undefined && value !== null)
                url.searchParams.set(name, String(value));
        }
        const headers = { Authorization: `Bearer ${this.#bearer}`, ...request.headers };
        let body = request.form ?? request.text;
        if (request.json !== undefined) {
            headers["Content-Type"] = "application/json";
            body = JSON.stringify(request.json);
        }
        const late = new AbortController();
        const timer = setTimeout(() => late.abort(new Error(`no answer within ${this.#timeout} ms`)), this.#timeout);
        try {
            // A redirect would turn a POST into a GET, so none is followed.
            return await this.#fetch(url, {
                method: request.method, headers, redirect: "manual", signal: either(late.signal, request.signal), ...(body === undefined ? {} : { body }),
            });
        }
        finally {
            clearTimeout(timer);
        }
    }
}
/**
 * After how many milliseconds a request may be sent again; 0 leaves the time to the caller, undefined
 * forbids it. A request that never left, or that was answered 429, was not begun. After a lost answer or
 * a 5xx only what is safe to repeat is sent again.
 */
function again(request, answer, error) {
    if (answer === undefined)
        return neverSent(error) || repeatable(request) ? 0 : undefined;
    const wait = Number(answer.headers.get("Retry-After") ?? 0) * 1000 || 0;
    if (wait > longestWaited)
        return undefined;
    switch (answer.status) {
        case 429:
            return wait;
        case 502:
        case 503:
        case 504:
            return repeatable(request) ? wait : undefined;
        case 409:
            return request.headers?.["Idempotency-Key"] === undefined ? undefined : 0; // the first attempt is under way
    }
    return undefined;
}
/** Whether doing a request twice is the same as doing it once. */
function repeatable(request) {
    if (request.method === "PATCH")
        return request.headers?.["If-Match"] === undefined; // ICE candidates are not
    if (request.method !== "POST")
        return true;
    return request.headers?.["Idempotency-Key"] !== undefined || /\/(cancel|notes|facts)$/.test(request.path);
}
/** Whether no server got any part of the request. Node and Bun say so, other runtimes do not. */
function neverSent(error) {
    const { code, cause } = (error ?? {});
    const said = cause?.code ?? cause?.errors?.[0]?.code ?? code ?? "";
    return [
        "ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "UND_ERR_CONNECT_TIMEOUT", "ConnectionRefused",
    ].includes(said);
}
/** A signal that follows both. */
export function either(one, other) {
    if (other === undefined)
        return one;
    if (typeof AbortSignal.any === "function")
        return AbortSignal.any([one, other]);
    const both = new AbortController(); // Node 18
    for (const signal of [one, other]) {
        if (signal.aborted)
            both.abort(signal.reason);
        else
            signal.addEventListener("abort", () => both.abort(signal.reason), { once: true, signal: both.signal });
    }
    return both.signal;
}
async function problem(answer) {
    const text = await answer.text().catch(() => "");
    if (/^application\/problem\+json\b/.test(answer.headers.get("Content-Type") ?? "")) {
        try {
            const p = JSON.parse(text);
            if (typeof p.type === "string" && typeof p.detail === "string")
                return new Problem(p);
        }
        catch {
            // What follows says that this is no answer of Carillon.
        }
    }
    const said = `The server answered ${answer.status || "with a redirect"}`;
    const to = answer.headers.get("Location");
    const detail = to !== null && answer.status < 400
        ? `${said} and names ${to}. Use the address of that server.`
        : `${said}, but not as Carillon does. Check its address and the proxy in front of it.`;
    return new Problem({ type: "about:blank", status: answer.status, title: answer.statusText, detail });
}
