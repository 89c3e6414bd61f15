import { webCrypto } from "./crypto.js";
/** A webhook that Carillon did not send, or that is too old. */
export class WebhookError extends Error {
    name = "WebhookError";
}
const tolerance = 5 * 60;
/**
 * Checks that Carillon sent a webhook: that one of the signatures of its headers was made with `secret`
 * (whsec_…) over `body`, the text or bytes as they came, and that it is not older than five minutes, as in
 * Standard Webhooks (https://www.standardwebhooks.com). Throws a WebhookError otherwise. Remember the
 * header webhook-id too: the same delivery may come twice.
 */
export async function verify(secret, headers, body, now = new Date()) {
    const id = header(headers, "webhook-id");
    const sent = header(headers, "webhook-timestamp");
    const signatures = header(headers, "webhook-signature");
    if (id === "" || sent === "" || signatures === "") {
        throw new WebhookError("webhook-id, webhook-timestamp or webhook-signature is missing from the headers: this is no webhook of Carillon");
    }
    if (!/^-?\d{1,15}$/.test(sent))
        throw new WebhookError(`webhook-timestamp is ${JSON.stringify(sent)}, not a number of seconds`);
    const away = Math.abs(now.getTime() / 1000 - Number(sent));
    if (away > tolerance)
        throw new WebhookError(`the webhook was signed ${Math.round(away)} s from now; check this machine's clock`);
    const raw = bytes((secret ?? "").replace(/^whsec_/, ""));
    if (raw === undefined || raw.length === 0) {
        throw new WebhookError("the webhook secret is not whsec_ and base64; copy it again from the page of the connection");
    }
    const { subtle } = await webCrypto();
    const key = await subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
    const encoder = new TextEncoder();
    const start = encoder.encode(`${id}.${sent}.`);
    const rest = typeof body === "string" ? encoder.encode(body) : body;
    const signed = new Uint8Array(start.length + rest.length);
    signed.set(start);
    signed.set(rest, start.length);
    for (const signature of signatures.split(" ")) {
        const [version, text] = signature.split(",");
        const got = bytes(text ?? "");
        if (version === "v1" && got !== undefined && (await subtle.verify("HMAC", key, got, signed)))
            return;
    }
    throw new WebhookError("no signature of the webhook was made with this secret over this body; pass the body as it came, before any parsing");
}
function header(headers, name) {
    if (headers instanceof Headers)
        return headers.get(name) ?? "";
    for (const [key, value] of Object.entries(headers)) {
        if (key.toLowerCase() === name)
            return (Array.isArray(value) ? value.join(" ") : value) ?? "";
    }
    return "";
}
function bytes(base64) {
    try {
        return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    }
    catch {
        return undefined;
    }
}
