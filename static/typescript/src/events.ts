/** One server-sent event. `id` is empty if it had none. Without `data`, only the `id` is to be kept. */
export interface ServerEvent {id: string; data: string}

const longestSilence = 20_000; // the server sends a comment every 4 s
const longestEvent = 1 << 20;

/**
 * Reads server-sent events (HTML Living Standard, 9.2). If the server sends nothing for a long time it calls
 * `silent`, which must end the body. How long the caller takes for an event does not count.
 */
export async function* events(body: ReadableStream<Uint8Array> | null, silent: () => void): AsyncGenerator<ServerEvent, void> {
	if (body === null) return;
	const reader = body.getReader();
	const decoder = new TextDecoder();
	let timer: ReturnType<typeof setTimeout> | undefined;
	let text = "";
	let id = "";
	let data: string[] = [];
	try {
		for (;;) {
			timer = setTimeout(silent, longestSilence);
			const {done, value} = await reader.read();
			clearTimeout(timer);
			if (done) return;
			text += decoder.decode(value, {stream: true});
			if (text.length > longestEvent) throw new Error("the server sent an event of more than 1 MiB");
			const lines = text.split("\n");
			text = lines.pop() ?? "";
			for (const raw of lines) {
				const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
				if (line === "") {
					if (data.length > 0 || id !== "") yield {id, data: data.join("\n")};
					id = "";
					data = [];
					continue;
				}
				const colon = line.indexOf(":");
				const name = colon < 0 ? line : line.slice(0, colon);
				const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
				if (name === "id") id = value;
				if (name === "data") data.push(value);
			}
		}
	} finally {
		clearTimeout(timer);
		reader.cancel().catch(() => {}); // the body may have ended with an error, which was thrown above
	}
}
