// The demo: one call from this browser to the gateway, without a sign-up. What it does is what an app does after the
// person answered: an offer, an answer, sound. For tests it writes data-screen and data-audio-energy to its element.
(() => {
  "use strict";
  const word = self.carillonWord || ((english) => english);
  const demo = document.querySelector("[data-demo]");
  const start = demo && demo.querySelector("[data-demo-start]");
  if (!start) return;
  const stop = demo.querySelector("[data-demo-stop]");
  const audio = demo.querySelector("[data-demo-audio]");
  const line = demo.querySelector("[data-demo-say]");
  const left = demo.querySelector("[data-demo-left]");
  const seconds = Number(demo.dataset.seconds);
  const GATHER = 1500;
  let call = null; // {peer, track, at, url, timer, ending}

  const say = (text) => { line.textContent = text; };
  const show = (screen) => {
    demo.dataset.screen = screen;
    start.hidden = screen !== "idle";
    stop.hidden = screen === "idle";
  };
  const tick = (n) => { left.textContent = `${Math.floor(n / 60)}:${String(n % 60).padStart(2, "0")}`; };

  function gathered(peer) {
    return new Promise((done) => {
      if (peer.iceGatheringState === "complete") { done(); return; }
      peer.addEventListener("icegatheringstatechange", () => { if (peer.iceGatheringState === "complete") done(); });
      setTimeout(done, GATHER);
    });
  }

  async function refused(answer) {
    const problem = await answer.json().catch(() => ({}));
    const wait = Number(answer.headers.get("Retry-After"));
    return `${problem.detail || word("The call could not be made.")}${wait > 1 ? " " + word("Try again in {n} seconds.").replace("{n}", wait) : ""}`;
  }

  // servers are the STUN and TURN servers of this moment, for networks that the server is not reached from directly. Without them a
  // call may still work, so that it is tried.
  async function servers() {
    if (!demo.dataset.ice) return [];
    const answer = await fetch(demo.dataset.ice, { headers: { Accept: "application/json" } }).catch(() => null);
    if (!answer || !answer.ok) return [];
    return (await answer.json().catch(() => ({}))).ice_servers || [];
  }

  // end frees everything, whichever side ended the call.
  function end(text) {
    if (!call) return;
    const was = call;
    call = null;
    clearInterval(was.timer);
    clearInterval(was.meter);
    if (was.track) was.track.stop();
    if (was.peer) was.peer.close();
    if (was.url) fetch(was.url, { method: "DELETE", keepalive: true }).catch(() => {});
    audio.srcObject = null;
    tick(seconds);
    show("idle");
    say(text);
    start.focus();
  }

  function connected(mine) {
    if (call !== mine || mine.at) return;
    mine.at = Date.now();
    show("call");
    say(word("Bells. Then say something: you hear it a second later."));
    mine.timer = setInterval(() => {
      const rest = Math.max(0, seconds - Math.round((Date.now() - mine.at) / 1000));
      tick(rest);
      if (!rest) end(word("Time is up. That is the line; your phones are next."));
    }, 250);
    mine.meter = setInterval(async () => {
      const stats = await mine.peer.getStats().catch(() => null);
      if (!stats) return;
      stats.forEach((s) => { if (s.type === "inbound-rtp" && s.totalAudioEnergy !== undefined) demo.dataset.audioEnergy = s.totalAudioEnergy; });
    }, 500);
  }

  async function dial() {
    if (call) return;
    const mine = call = {};
    show("calling");
    say(word("Your browser asks for the microphone…"));
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true } });
      mine.track = stream.getTracks()[0];
      if (call !== mine) { mine.track.stop(); return; }
    } catch {
      end(word("Without a microphone there is nothing to send. Allow it for this page and press again."));
      return;
    }
    say(word("Calling…"));
    const iceServers = await servers();
    if (call !== mine) { mine.track.stop(); return; }
    const peer = mine.peer = new RTCPeerConnection({ iceServers });
    peer.addTrack(mine.track);
    peer.addEventListener("track", (event) => {
      audio.srcObject = new MediaStream([event.track]);
      audio.play().catch(() => {});
    });
    peer.addEventListener("connectionstatechange", () => {
      if (call !== mine) return;
      if (peer.connectionState === "connected") connected(mine);
      if (peer.connectionState === "failed") end(word("The sound found no way through this network. A firewall that bars UDP is the usual cause."));
      if (peer.connectionState === "closed" || peer.connectionState === "disconnected" && mine.at) end(word("The line is closed."));
    });
    try {
      await peer.setLocalDescription(await peer.createOffer());
      await gathered(peer);
      const answer = await fetch(demo.dataset.answer, { method: "POST", headers: { "Content-Type": "application/sdp", Accept: "application/sdp" }, body: peer.localDescription.sdp });
      if (answer.status !== 201) { end(await refused(answer)); return; }
      mine.url = answer.headers.get("Location");
      const sdp = await answer.text();
      if (call !== mine) { fetch(mine.url, { method: "DELETE", keepalive: true }).catch(() => {}); return; }
      await peer.setRemoteDescription({ type: "answer", sdp });
    } catch {
      end(word("The server could not be reached. Press again in a moment."));
    }
  }

  start.addEventListener("click", dial);
  stop.addEventListener("click", () => end(word("Hung up. That was the line; your phones are next.")));
  addEventListener("pagehide", () => end(""));
})();
