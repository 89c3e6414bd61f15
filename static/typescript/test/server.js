import {createServer} from "node:http";

// script starts a server that answers each request with the next of the handlers. It gives the
// address and what came.
export async function script(t, ...handlers) {
	const heard = [];
	const server = createServer((request, response) => {
		let body = "";
		request.on("data", (part) => (body += part));
		request.on("end", () => {
			const {method, url, headers} = request;
			heard.push({method, url, body, key: headers["idempotency-key"], last: headers["last-event-id"]});
			const handler = handlers[heard.length - 1];
			if (handler) handler(response);
			else response.writeHead(418).end();
		});
	});
	await new Promise((done) => server.listen(0, "127.0.0.1", done));
	t.after(() => {
		server.closeAllConnections();
		server.close();
	});
	return {url: `http://127.0.0.1:${server.address().port}`, heard};
}

export const says = (status, body, headers = {}) => (response) => {
	response.writeHead(status, {"Content-Type": status < 400 ? "application/json" : "application/problem+json", ...headers});
	response.end(typeof body === "string" ? body : JSON.stringify(body));
};

// cut drops the connection in place of an answer.
export const cut = (response) => response.socket.destroy();

// stream sends events and then ends, or is cut.
export const stream = (whole, ...events) => (response) => {
	response.writeHead(200, {"Content-Type": "text/event-stream"});
	response.write(": hello\r\n\r\n" + events.join(""), () => (whole ? response.end() : response.socket.destroy()));
};

export const event = (id, kind, state) =>
	`id: ${id}\nevent: ${kind}\ndata: ${JSON.stringify({kind, state, at: "2026-11-27T08:00:00Z", detail: null})}\n\n`;

export const problem = (status, code, more = {}) => ({
	type: `https://ring.example.com/docs/errors#${code}`, title: "Refused", status, detail: "It was refused.", request_id: "q1", ...more,
});
