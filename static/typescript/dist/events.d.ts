/** One server-sent event. `id` is empty if it had none. Without `data`, only the `id` is to be kept. */
export interface ServerEvent {
    id: string;
    data: string;
}
/**
 * Reads server-sent events (HTML Living Standard, 9.2). If the server sends nothing for a long time it calls
 * `silent`, which must end the body. How long the caller takes for an event does not count.
 */
export declare function events(body: ReadableStream<Uint8Array> | null, silent: () => void): AsyncGenerator<ServerEvent, void>;
