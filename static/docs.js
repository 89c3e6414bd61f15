// The forms of the API reference: each sends one operation to this server, with the key that the reader typed.
// The key stays in the page's field. Cookies are never sent, so that an answer is what a program would get.
"use strict";
(() => {
  const most = 64 * 1024; // characters of an answer that are shown
  const key = document.getElementById("docs-key");
  document.querySelectorAll("[data-key], [data-try]").forEach((e) => { e.hidden = false; });
  document.querySelectorAll("[data-key]").forEach((form) => form.addEventListener("submit", (event) => event.preventDefault()));

  const request = (form) => {
    let path = form.dataset.path;
    const query = new URLSearchParams();
    const headers = {};
    form.querySelectorAll("[data-in]").forEach((field) => {
      const value = field.value.trim();
      if (field.dataset.in === "path") path = path.replace("{" + field.dataset.name + "}", encodeURIComponent(value));
      else if (value === "") return;
      else if (field.dataset.in === "header") headers[field.dataset.name] = value;
      else query.append(field.dataset.name, value);
    });
    if (key.value.trim() !== "") headers.Authorization = "Bearer " + key.value.trim();
    const body = form.querySelector("[data-body]");
    if (body) headers["Content-Type"] = form.dataset.type;
    const text = query.toString();
    return [path + (text ? "?" + text : ""), {
      method: form.dataset.method, headers, body: body ? body.value : undefined,
      credentials: "omit", redirect: "error", cache: "no-store", mode: "same-origin",
    }];
  };

  const pretty = (text, type) => {
    if (!/json/.test(type)) return text;
    try {
      return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      return text;
    }
  };

  // read shows an answer while it arrives: a stream of events never ends by itself.
  const read = async (answer, output) => {
    const type = answer.headers.get("Content-Type") || "";
    const reader = answer.body.getReader();
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value, { stream: true });
      if (text.length > most) {
        await reader.cancel();
        text = text.slice(0, most) + "\n… the rest is not shown";
        break;
      }
      output.textContent = text;
    }
    output.textContent = pretty(text, type);
  };

  document.querySelectorAll("[data-try] form").forEach((form) => {
    const [answerBox, stop] = [form.querySelector("[data-answer]"), form.querySelector("[data-stop]")];
    const [status, headers, output] = ["status", "headers", "output"].map((name) => form.querySelector("[data-" + name + "]"));
    let sent = null;
    stop.addEventListener("click", () => sent && sent.abort());
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (sent) sent.abort();
      const mine = sent = new AbortController();
      const [path, options] = request(form);
      answerBox.hidden = stop.hidden = false;
      status.textContent = "Sending " + options.method + " " + path;
      headers.textContent = output.textContent = "";
      const began = performance.now();
      try {
        const answer = await fetch(path, { ...options, signal: mine.signal });
        status.textContent = answer.status + " " + answer.statusText + " after " + Math.round(performance.now() - began) + " ms";
        headers.textContent = [...answer.headers].map(([name, value]) => name + ": " + value).join("\n");
        await read(answer, output);
      } catch (error) {
        if (mine === sent) status.textContent = error.name === "AbortError" ? "Stopped." : "The request failed: " + error.message;
      } finally {
        if (mine === sent) stop.hidden = true;
      }
    });
  });
})();
