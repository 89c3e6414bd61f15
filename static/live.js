// One event stream for all tabs of a browser. A browser opens six connections to a server that speaks HTTP/1.1, for all of its tabs
// together: with a stream for each tab, the seventh tab would never load.
//
// A page calls carillonLive(url, always, hear), and what that returns when it needs no events any more. The tabs that name the same url
// share one stream. It is open while one of them is shown, or always needs it. hear gets {type, data}: the server's named events, and
//   open    the stream is connected
//   error   it is not, and connects again by itself
//   over    the server refuses this url from now on; nothing follows
//   ready   the stream listens: what happened before may have been missed, so look at everything once
//
// This file runs as a shared worker too, and then it holds the stream. Where there are no shared workers (Chrome on Android), the tab that
// holds a Web Lock holds the stream, and passes events on over a BroadcastChannel. Web Locks need https: without them each tab that is
// shown has a stream of its own.
(() => {
  "use strict";
  const LINGER = 3000; // how long a stream outlives the last tab that wanted it: somebody may only be changing tabs
  const RETRY = 5000;
  const EVENTS = ["ready", "rings", "push"];

  // streamOf holds the stream at url while it is wanted.
  function streamOf(url, tell) {
    let source = null, timer = 0;
    const now = { ready: false, over: false };
    const event = (type, data) => tell({ type, data });
    function open() {
      clearTimeout(timer);
      if (source || now.over) return;
      const mine = source = new EventSource(url);
      mine.addEventListener("open", () => event("open"));
      for (const type of EVENTS) mine.addEventListener(type, ({ data }) => { now.ready = true; event(type, data); });
      mine.addEventListener("error", () => {
        now.ready = false;
        event("error");
        if (mine.readyState === EventSource.CLOSED) refused(mine);
      });
    }
    // refused finds out why the server refuses the stream, which an EventSource does not say.
    async function refused(mine) {
      const status = await fetch(url, { method: "HEAD" }).then((answer) => answer.status, () => 0);
      if (source !== mine) return;
      source = null;
      now.over = [401, 403, 409].includes(status);
      if (now.over) event("over");
      else timer = setTimeout(open, RETRY);
    }
    function close() {
      clearTimeout(timer);
      source?.close();
      source = null;
      now.ready = false;
    }
    return { now, open, close, closeSoon() { clearTimeout(timer); timer = setTimeout(close, LINGER); } };
  }

  // In the shared worker, whose name is the url. A tab says "shown", "hidden" or "gone", and names a Web Lock that it holds: a
  // tab that was closed or has crashed says nothing, but then the worker gets its lock.
  if (self.SharedWorkerGlobalScope) {
    const tabs = new Map(); // port → whether it wants the stream
    const stream = streamOf(self.name, (event) => { for (const port of tabs.keys()) port.postMessage(event); });
    const look = () => { if ([...tabs.values()].includes(true)) stream.open(); else stream.closeSoon(); };
    self.addEventListener("connect", ({ ports: [port] }) => {
      port.onmessage = ({ data }) => {
        if (data.lock) {
          navigator.locks.request(data.lock, () => { tabs.delete(port); look(); });
          return;
        }
        const known = tabs.has(port);
        tabs.set(port, data === "shown");
        if (data === "gone") tabs.delete(port);
        else if (!known && stream.now.over) stream.now.over = false; // a new page: the server may think otherwise now
        else if (!known && stream.now.ready) for (const type of ["open", "ready"]) port.postMessage({ type });
        look();
      };
    });
    return;
  }

  const script = document.currentScript.src;

  self.carillonLive = (url, always, hear) => {
    const over = new AbortController();
    const { signal } = over;
    let look = self.SharedWorker ? shared() : elected();
    document.addEventListener("visibilitychange", () => look(), { signal });
    addEventListener("pagehide", () => look(true), { signal });
    addEventListener("pageshow", (event) => { if (event.persisted) look(); }, { signal });
    look();
    return () => { over.abort(); look(true); };

    function shared() {
      const worker = new SharedWorker(script, { name: url });
      worker.port.onmessage = ({ data }) => { if (!signal.aborted) hear(data); };
      worker.addEventListener("error", () => { if (!signal.aborted) { look = elected(); look(); } });
      navigator.locks?.request(crypto.randomUUID(), ({ name }) => new Promise((done) => {
        worker.port.postMessage({ lock: name });
        signal.addEventListener("abort", done);
      }));
      return (gone) => worker.port.postMessage(gone ? "gone" : always || !document.hidden ? "shown" : "hidden");
    }

    function elected() {
      const channel = new BroadcastChannel(url);
      const one = Boolean(navigator.locks); // else every tab leads, and hears its own stream only
      let stop = null, timer = 0, leads = false, joined = false;
      const stream = streamOf(url, (event) => { if (one) channel.postMessage(event); hear(event); });
      signal.addEventListener("abort", () => channel.close());
      channel.onmessage = ({ data }) => {
        if (data.type === "who") {
          if (leads && stream.now.over) channel.postMessage({ type: "over" });
          else if (leads && stream.now.ready) channel.postMessage({ type: "leader" });
          return;
        }
        if (data.type !== "leader") hear(data);
        else if (!joined) for (const type of ["open", "ready"]) hear({ type });
        joined ||= data.type === "leader" || data.type === "ready";
      };
      const lead = (until) => new Promise((done) => {
        leads = joined = true;
        stream.open();
        until.addEventListener("abort", () => { leads = false; stream.close(); done(); });
      });
      const leave = () => { stop?.abort(); stop = null; };
      return (gone) => {
        clearTimeout(timer);
        if (gone) leave();
        else if (!always && document.hidden) timer = setTimeout(leave, LINGER);
        else if (!stop) {
          stop = new AbortController();
          const mine = stop.signal;
          if (!one) { lead(mine); return; }
          channel.postMessage({ type: "who" });
          navigator.locks.request(url, { signal: mine }, () => lead(mine)).catch(() => {}); // left while it waited
        }
      };
    }
  };
})();
