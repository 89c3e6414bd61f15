/** The headers of a webhook: of a Request, or an object as Node gives it. */
export type WebhookHeaders = Headers | Record<string, string | string[] | undefined>;
/** A webhook that Carillon did not send, or that is too old. */
export declare class WebhookError extends Error {
    readonly name = "WebhookError";
}
/**
 * Checks that Carillon sent a webhook: that one of the signatures of its headers was made with `secret`
 * (whsec_…) over `body`, the text or bytes as they came, and that it is not older than five minutes, as in
 * Standard Webhooks (https://www.standardwebhooks.com). Throws a WebhookError otherwise. Remember the
 * header webhook-id too: the same delivery may come twice.
 */
export declare function verify(secret: string | undefined, headers: WebhookHeaders, body: string | Uint8Array, now?: Date): Promise<void>;
