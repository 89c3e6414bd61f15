// The virtual phone of dev mode: wakes on a push, reports to "CallKit" as iOS demands, rings, answers with
// WebRTC and says what happened, as an iPhone app would. Everything it needs stands in data-* of the body:
// data-api, data-credential, data-token, data-slug, data-pushes, data-app. For tests it writes data-screen, data-ring and
// data-audio-energy (seconds of heard sound, weighted by loudness) back there.
(() => {
  "use strict";
  const body = document.body;
  const { api, credential, token, slug, pushes, app } = body.dataset;
  const $ = (selector) => document.querySelector(selector);
  const each = (selector, fn) => document.querySelectorAll(selector).forEach(fn);
  const set = (selector, text) => each(selector, (el) => { el.textContent = text; });
  const wait = (ms) => new Promise((done) => { setTimeout(done, ms); });
  const isOn = (name) => $(`[data-set="${name}"]`).checked;
  const bearer = { Authorization: `Bearer ${credential}` };
  const path = (id, rest = "") => `${api}/v1/phone/rings/${encodeURIComponent(id)}${rest}`;
  const LATE = 4000, GATHER = 1500;

  let ring = null; // {id, who, abort, peer, track, leg, etag, started, over}

  const show = (screen) => { body.dataset.screen = screen; };

  // ---- the log of facts
  function note(word, text, tone) {
    const item = document.createElement("li");
    item.className = tone ? `fact fact-${tone}` : "fact";
    const at = document.createElement("time");
    const now = new Date();
    at.dateTime = now.toISOString();
    at.textContent = now.toLocaleTimeString("en-GB", { hour12: false }) + "." + String(now.getMilliseconds()).padStart(3, "0");
    const name = document.createElement("code");
    name.textContent = word;
    const said = document.createElement("span");
    said.textContent = text;
    item.append(at, name, said);
    $("[data-facts]").prepend(item);
    $("[data-facts-none]").hidden = true;
    return said;
  }
  $("[data-facts-clear]").addEventListener("click", () => {
    $("[data-facts]").replaceChildren();
    $("[data-facts-none]").hidden = false;
  });

  // Facts go out one after the other and are tried again, with a fresh sent_at, until Carillon has taken them.
  let outbox = Promise.resolve();
  function fact(id, kind, code) {
    const at = new Date().toISOString();
    const said = note(kind, code ? `code ${code}, sending…` : "sending…");
    outbox = outbox.then(async () => {
      for (let tries = 0; tries < 5; tries++) {
        const sent = performance.now();
        try {
          const answer = await fetch(path(id, "/facts"), {
            method: "POST",
            headers: { ...bearer, "Content-Type": "application/json" },
            body: JSON.stringify({ kind, at, sent_at: new Date().toISOString(), ...(code ? { code } : {}) }),
          });
          said.textContent = `${code ? `code ${code}, ` : ""}${answer.status} in ${Math.round(performance.now() - sent)} ms`;
          if (answer.status < 500 && answer.status !== 429) return;
        } catch {
          said.textContent = "no connection, trying again";
        }
        await wait(500 * 2 ** tries);
      }
    });
    return outbox;
  }

  // ---- pushes
  function connect() { // one stream for the phones of all tabs, which wakes this one in the background too
    if (!pushes) return;
    window.carillonLive(pushes, true, ({ type, data }) => {
      if (type === "open") pushState("on", "Waiting for pushes");
      if (type === "error") pushState("off", "Reconnecting…");
      if (type === "over") pushState("off", "Not connected");
      if (type !== "push" || !data.startsWith(`${slug} `)) return;
      let push;
      try { push = JSON.parse(data.slice(slug.length + 1)); } catch { return; }
      arrive(push);
    });
  }
  function pushState(state, text) {
    $("[data-push-state]").dataset.pushState = state;
    set("[data-push-text]", text);
  }

  // arrive is what iOS and the app do with a VoIP push.
  async function arrive(push) {
    const id = String(push.call_id || "").toLowerCase();
    if (!id) return;
    if (isOn("killed")) {
      note("push", "dropped by iOS: the app did not report earlier calls", "bad");
      return;
    }
    if (isOn("late")) {
      note("push", "on its way, late", "dim");
      await wait(LATE);
    }
    note("push", `for ring ${id.slice(0, 8)}…`, "dim");
    fact(id, "woke");
    if (isOn("focus")) { fact(id, "silenced", 3); notify(app, "Missed call, silenced by Focus"); return; }
    if (isOn("block")) { fact(id, "silenced", 4); return; }
    if (ring && ring.id === id) return; // the same push again shows no second call
    if (ring) { fact(id, "busy"); return; }

    // Report first, ask after: iOS kills apps that look before they show.
    ring = { id, who: push.from || app, abort: new AbortController() };
    body.dataset.ring = id;
    name(ring.who);
    show("incoming");
    tone.start();
    fact(id, "shown");
    const mine = ring;
    const known = await look(mine);
    if (ring !== mine) return;
    if (known === "over") { end("The ring was over when the push came"); return; }
    follow(mine);
    const left = (push.exp ? push.exp * 1000 : Date.now() + 30000) - Date.now();
    setTimeout(() => { if (ring === mine && body.dataset.screen === "incoming") end("No answer"); }, Math.max(1000, left));
  }

  // look reads the ring: who calls, which ICE servers, and whether it still rings.
  async function look(mine) {
    try {
      const answer = await fetch(path(mine.id), { headers: bearer, signal: mine.abort.signal });
      if (answer.status === 404 || answer.status === 410) return "over";
      if (!answer.ok) return "unknown";
      const ringing = await answer.json();
      mine.ice = ringing.ice_servers || [];
      if (ringing.caller) name(mine.who = ringing.caller);
      const over = ringing.rings === false || ["ended", "declined", "missed", "cancelled", "failed"].includes(ringing.state);
      return over ? "over" : "rings";
    } catch {
      return "unknown";
    }
  }

  // follow reads the ring's events with fetch, which can send the credential, and again when the line drops.
  async function follow(mine) {
    while (ring === mine && !mine.over) {
      try {
        const answer = await fetch(path(mine.id, "/events"), { headers: { ...bearer, Accept: "text/event-stream" }, signal: mine.abort.signal });
        if (answer.status === 429 || answer.status === 503) { // too many streams: come back when told
          await wait(1000 * (Number(answer.headers.get("Retry-After")) || 5));
          continue;
        }
        if (!answer.ok || !answer.body) return;
        const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
        let text = "";
        for (;;) {
          const { value, done } = await reader.read();
          if (done) break;
          text += value.replace(/\r\n?/g, "\n");
          let cut;
          while ((cut = text.indexOf("\n\n")) >= 0) {
            hear(mine, text.slice(0, cut));
            text = text.slice(cut + 2);
          }
        }
      } catch {
        if (mine.abort.signal.aborted) return;
      }
      await wait(1000);
    }
  }
  function hear(mine, message) {
    if (ring !== mine) return;
    const kind = /^event:\s*(\S+)/m.exec(message)?.[1];
    if (kind === "cancelled") end("The caller hung up");
    if (kind === "answered_elsewhere" && body.dataset.screen === "incoming") end("Answered on another device");
    if (kind === "ended") end("The call is over");
  }

  // ---- answering
  async function microphone(mine) {
    try {
      return await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true } });
    } catch { // denied or missing: a silent track keeps the line open
      note("mic", "not allowed or not there: sending silence", "dim");
      const context = mine.hush = new AudioContext();
      const hum = context.createOscillator();
      const quiet = context.createGain();
      quiet.gain.value = 0.0001;
      const out = context.createMediaStreamDestination();
      hum.connect(quiet).connect(out);
      hum.start();
      return out.stream;
    }
  }

  async function accept() {
    const mine = ring;
    if (!mine || body.dataset.screen !== "incoming") return;
    tone.stop();
    set("[data-timer]", "connecting…");
    show("call");
    try {
      const stream = await microphone(mine);
      if (ring !== mine) { stream.getTracks().forEach((t) => t.stop()); return; }
      await dial(mine, stream);
    } catch (err) {
      if (ring === mine) end(`No connection: ${err.message}`);
    }
  }

  // dial offers one audio track. Candidates found within a moment travel in the offer, later ones by PATCH.
  async function dial(mine, stream) {
    const peer = mine.peer = new RTCPeerConnection({ iceServers: mine.ice || [] });
    mine.stream = stream;
    stream.getAudioTracks().forEach((track) => peer.addTrack(track, stream));
    const audio = $("[data-remote]");
    peer.addEventListener("track", (event) => {
      audio.srcObject = event.streams[0] || new MediaStream([event.track]);
      audio.play().catch(() => note("audio", "the browser waits for a click before it plays", "dim"));
    });
    peer.addEventListener("connectionstatechange", () => {
      if (ring !== mine) return;
      if (peer.connectionState === "connected" && !mine.started) {
        mine.started = Date.now();
        note("media", "connected", "good");
      }
      if (peer.connectionState === "failed") { leave(mine); end("The connection was lost"); }
    });
    await peer.setLocalDescription(await peer.createOffer());
    await gathered(peer);
    const sent = performance.now();
    const said = note("answer", "offer sent…");
    const answer = await fetch(path(mine.id, "/answer"), { method: "POST", headers: { ...bearer, "Content-Type": "application/sdp" }, body: peer.localDescription.sdp });
    said.textContent = `${answer.status} in ${Math.round(performance.now() - sent)} ms`;
    if (ring !== mine && answer.status !== 201) return;
    if (answer.status === 409) { end("Answered on another device"); return; }
    if (answer.status === 410) { end("The ring is over"); return; }
    if (answer.status !== 201) throw new Error(`Carillon said ${answer.status}`);
    mine.leg = new URL(answer.headers.get("Location") || path(mine.id, "/leg"), answer.url).href;
    mine.etag = answer.headers.get("ETag");
    if (ring !== mine) { leave(mine); return; } // hung up while dialling
    await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
    peer.addEventListener("icecandidate", (event) => { if (event.candidate?.candidate) trickle(mine, event.candidate); });
    meter(mine);
  }
  function gathered(peer) {
    if (peer.iceGatheringState === "complete") return Promise.resolve();
    return Promise.race([wait(GATHER), new Promise((done) => {
      peer.addEventListener("icegatheringstatechange", () => { if (peer.iceGatheringState === "complete") done(); });
    })]);
  }
  function trickle(mine, candidate) {
    const sdp = mine.peer.localDescription.sdp;
    const pick = (name) => new RegExp(`^a=${name}:.*$`, "m").exec(sdp)?.[0].trim();
    const fragment = [pick("ice-ufrag"), pick("ice-pwd"), "m=audio 9 UDP/TLS/RTP/SAVPF 0", `a=mid:${candidate.sdpMid ?? 0}`, `a=${candidate.candidate}`, ""].join("\r\n");
    fetch(mine.leg, { method: "PATCH", headers: { ...bearer, "Content-Type": "application/trickle-ice-sdpfrag", ...(mine.etag ? { "If-Match": mine.etag } : {}) }, body: fragment }).catch(() => {});
  }

  // meter keeps the timer, the pulse of the voice and the energy that tests read.
  async function meter(mine) {
    const voice = $("[data-voice]");
    while (ring === mine && !mine.over) {
      let energy = 0, level = 0;
      for (const report of (await mine.peer.getStats()).values()) {
        if (report.type !== "inbound-rtp" || report.kind !== "audio") continue;
        energy += report.totalAudioEnergy || 0;
        level = Math.max(level, report.audioLevel || 0);
      }
      if (ring !== mine) return;
      body.dataset.audioEnergy = energy.toFixed(9);
      voice.style.setProperty("--level", Math.min(1, level * 4).toFixed(3));
      if (mine.started) {
        const s = Math.floor((Date.now() - mine.started) / 1000);
        set("[data-timer]", `${String(Math.floor(s / 60)).padStart(2, "0")}:${String(s % 60).padStart(2, "0")}`);
      }
      await wait(200);
    }
  }

  function leave(mine) {
    if (!mine.leg || mine.left) return;
    mine.left = true;
    const said = note("hang up", "sending…");
    fetch(mine.leg, { method: "DELETE", headers: bearer, keepalive: true })
      .then((answer) => { said.textContent = String(answer.status); }, () => { said.textContent = "no connection"; });
  }

  // end closes whatever runs and goes back to the lock screen.
  function end(why) {
    const mine = ring;
    if (!mine) return;
    ring = null;
    mine.over = true;
    tone.stop();
    mine.abort.abort();
    mine.peer?.close();
    mine.stream?.getTracks().forEach((track) => track.stop());
    mine.hush?.close();
    $("[data-remote]").srcObject = null;
    set("[data-why]", why);
    show("ended");
    if (!mine.started) notify(mine.who, why);
    setTimeout(() => { if (!ring) { show("lock"); delete body.dataset.ring; } }, 1600);
  }

  // ---- the glass
  function name(who) {
    set("[data-who]", who);
    set("[data-initials]", who.split(/\s+/).map((w) => (w.match(/[\p{L}\p{Nd}]/u) || [""])[0]).filter(Boolean).slice(0, 2).join("").toUpperCase());
  }
  function notify(title, text) {
    set("[data-note-title]", title);
    set("[data-note-text]", text);
    $("[data-note]").hidden = false;
  }
  function clock() {
    const now = new Date();
    const time = now.toLocaleTimeString("en-GB", { hour: "numeric", minute: "2-digit" });
    set("[data-clock]", time);
    set("[data-clock-small]", time);
    set("[data-clock-date]", now.toLocaleDateString(document.documentElement.lang === "es" ? "es-US" : "en-GB", { weekday: "long", day: "numeric", month: "long" }));
  }
  each("[data-set]", (box) => box.addEventListener("change", () => {
    if (box.dataset.set === "focus") $("[data-focus-mark]").hidden = !box.checked;
    note("setting", `${box.labels[0].textContent}: ${box.checked ? "on" : "off"}`, "dim");
  }));

  // tone is the phone's ring, three soft bells; silent until the page was touched, as browsers demand.
  const tone = (() => {
    let context, timer;
    function bell(at, hz) {
      const osc = context.createOscillator();
      const gain = context.createGain();
      osc.frequency.value = hz;
      osc.type = "triangle";
      gain.gain.setValueAtTime(0.0001, at);
      gain.gain.exponentialRampToValueAtTime(0.12, at + 0.01);
      gain.gain.exponentialRampToValueAtTime(0.0001, at + 0.9);
      osc.connect(gain).connect(context.destination);
      osc.start(at);
      osc.stop(at + 1);
    }
    function peal() {
      if (context.state !== "running") return;
      [659.25, 783.99, 987.77].forEach((hz, i) => bell(context.currentTime + i * 0.18, hz));
      navigator.vibrate?.([200, 100, 200]);
    }
    return {
      start() {
        if (!navigator.userActivation?.hasBeenActive) return;
        try {
          context ||= new AudioContext();
          context.resume().catch(() => {});
          peal();
          timer = setInterval(peal, 2000);
        } catch { /* no sound card: the screen rings alone */ }
      },
      stop() { clearInterval(timer); },
    };
  })();

  $("#phone-accept").addEventListener("click", accept);
  $("#phone-decline").addEventListener("click", () => {
    if (!ring) return;
    fact(ring.id, "declined");
    end("Declined");
  });
  $("#phone-hangup").addEventListener("click", () => {
    if (!ring) return;
    leave(ring);
    end("You hung up");
  });
  $("#phone-mute").addEventListener("click", (event) => {
    const muted = event.currentTarget.getAttribute("aria-pressed") !== "true";
    event.currentTarget.setAttribute("aria-pressed", String(muted));
    ring?.stream?.getAudioTracks().forEach((track) => { track.enabled = !muted; });
  });
  $("#phone-speaker").addEventListener("click", (event) => {
    const loud = event.currentTarget.getAttribute("aria-pressed") !== "true";
    event.currentTarget.setAttribute("aria-pressed", String(loud));
    $("[data-remote]").volume = loud ? 1 : 0.6;
  });
  addEventListener("pagehide", () => { if (ring) leave(ring); });

  // Launch: register the token, as an app does every time.
  if (token) {
    const said = note("token", "registering…");
    fetch(`${api}/v1/phone/token`, { method: "PUT", headers: { ...bearer, "Content-Type": "application/json" }, body: JSON.stringify({ token, environment: "sandbox", app_version: "1.0", os_version: "26.1" }) })
      .then((answer) => { said.textContent = String(answer.status); }, () => { said.textContent = "no connection"; });
  }
  $("[data-remote]").volume = 0.6;
  clock();
  setInterval(clock, 1000);
  connect();
})();
