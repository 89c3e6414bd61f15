// The console's small script. Every page works without it; it makes pages quicker to use.
// No inline code and no eval: it runs under "script-src 'self'".
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const typing = (el) => el.matches("input, textarea, select, [contenteditable]");

  // say shows a word at the foot of the page and reads it to screen readers.
  let saying;
  function say(text) {
    const line = $("#toast");
    if (!line) return;
    line.textContent = text;
    line.classList.add("shown");
    clearTimeout(saying);
    saying = setTimeout(() => line.classList.remove("shown"), 1800);
  }

  // Theme: set at once, and remembered for the server by a cookie.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-theme-form]") || !event.submitter) return;
    event.preventDefault();
    const theme = event.submitter.value;
    document.documentElement.dataset.bsTheme = theme;
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `theme=${theme}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
    for (const button of $$("[data-theme-form] button")) button.setAttribute("aria-pressed", String(button.value === theme));
  });

  // Copy buttons.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    event.preventDefault();
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch {
      const area = document.createElement("textarea"); // plain http has no clipboard
      area.value = button.dataset.copy;
      (button.closest("dialog") || document.body).append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      button.focus();
    }
    button.classList.add("copied");
    say("Copied");
    setTimeout(() => button.classList.remove("copied"), 1800);
  });

  // Times: relative words, the full time in the title.
  const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  const spans = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  function relate(root = document) {
    for (const el of $$("time[data-relative]", root)) {
      const at = Date.parse(el.dateTime);
      if (Number.isNaN(at)) continue;
      if (!el.dataset.full) {
        el.dataset.full = el.textContent.trim();
        el.title = `${el.dataset.full} (${el.dateTime})`;
      }
      const seconds = (at - Date.now()) / 1000;
      if (Math.abs(seconds) > 86400 * 6) { el.textContent = el.dataset.full; continue; }
      const [unit, size] = spans.find(([, s]) => Math.abs(seconds) >= s) || ["second", 1];
      el.textContent = Math.abs(seconds) < 5 ? "just now" : words.format(Math.trunc(seconds / size), unit);
    }
    for (const el of $$("[data-countdown]", root)) {
      const left = Math.max(0, Math.round((Date.parse(el.dateTime) - Date.now()) / 1000));
      el.textContent = left ? `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}` : "none";
      el.classList.toggle("run-out", !left);
    }
  }
  setInterval(relate, 1000);

  // The clock of a ring under way, in tenths of a second.
  function tick() {
    const clocks = $$("time[data-elapsed]");
    for (const el of clocks) {
      const seconds = Math.max(0, (Date.now() - Date.parse(el.dateTime)) / 1000);
      el.textContent = seconds < 60 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
    }
    return clocks.length;
  }
  if (tick()) setInterval(tick, 100);

  // Dialogs: opened by a link or button with data-open, closed by data-close, by Escape, and by a click
  // outside when they ask nothing. The browser gives the focus back.
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open]");
    const dialog = opener && document.getElementById(opener.dataset.open);
    if (dialog && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      open(dialog);
      return;
    }
    if (event.target.closest("[data-close]")) event.target.closest("dialog")?.close();
    if (event.target.matches("dialog[data-light]")) event.target.close();
    for (const pop of $$("details.pop[open], details.side-menu[open]")) if (!pop.contains(event.target)) pop.open = false;
  });
  function open(dialog, first) {
    if (dialog.open) return;
    const back = document.activeElement;
    dialog.showModal();
    (first || $("input:not([type=hidden])", dialog))?.focus();
    dialog.addEventListener("close", () => back?.focus?.(), { once: true });
  }

  // A secret shown once: only "I stored it" lets go of it.
  function secret(dialog) {
    const stored = $("[data-secret-stored]", dialog);
    const done = $("[data-secret-done]", dialog);
    const gate = () => { done.disabled = !stored.checked; };
    dialog.close();
    dialog.showModal();
    dialog.addEventListener("cancel", (event) => { if (!stored.checked) { event.preventDefault(); say("Store the secret first"); } });
    dialog.addEventListener("close", () => { if (!stored.checked) dialog.showModal(); });
    stored.addEventListener("change", gate);
    gate();
  }

  // Deleting asks for the name.
  function guard(form) {
    const input = $("input[name=confirm]", form);
    const button = $("[data-confirm-button]", form);
    if (!input || !button) return;
    const plain = (name) => name.trim().replace(/[‘’]/g, "'").replace(/[“”]/g, '"'); // phones write curly quotes
    const gate = () => { button.disabled = plain(input.value) !== plain(form.dataset.confirm); };
    input.addEventListener("input", gate);
    gate();
  }

  // Filters apply when chosen.
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-auto-submit]");
    if (form && event.target.matches("select")) form.requestSubmit();
  });
  document.addEventListener("htmx:configRequest", (event) => {
    const { verb, parameters } = event.detail;
    if (verb === "get") for (const name of Object.keys(parameters)) if (parameters[name] === "") delete parameters[name];
  });
  document.addEventListener("submit", (event) => { // empty filters stay out of the address
    const form = event.target;
    if (!form.matches("form[data-auto-submit]")) return;
    for (const el of $$("input, select", form)) if (!el.value) el.disabled = true;
    setTimeout(() => { for (const el of $$("input, select", form)) el.disabled = false; });
  });

  // Dropped files. AuthKey_ABC123DEFG.p8 carries its key id in its name; a .p12 needs no ids but may need a password.
  function drop(zone) {
    const input = $("input[type=file]", zone);
    const text = $("[data-drop-text]", zone);
    const form = input.form;
    const seen = () => {
      const file = input.files[0];
      zone.classList.toggle("drop-full", Boolean(file));
      if (!file) return;
      text.textContent = `${file.name}, ${Math.max(1, Math.round(file.size / 1024))} KB`;
      const key = /AuthKey_([A-Z0-9]{10})(?![A-Z0-9])/i.exec(file.name);
      const field = form && $("input[name=key_id]", form);
      if (key && field && !field.value) {
        field.value = key[1].toUpperCase();
        say("Key id read from the file name");
      }
      const kind = /\.p8$/i.test(file.name) ? "p8" : /\.p12$|\.pfx$/i.test(file.name) ? "p12" : ""; // "" = the server looks into the file
      for (const el of $$("[data-for-kind]", form)) {
        const mine = !kind || el.dataset.forKind === kind;
        el.hidden = !mine;
        for (const inner of $$("input", el)) inner.disabled = !mine;
      }
      for (const el of $$("[data-needed-for]", form)) el.required = el.dataset.neededFor === kind;
      if (file.size > 65536) say("That file is too large to be a key");
    };
    for (const name of ["dragenter", "dragover"]) zone.addEventListener(name, (e) => { e.preventDefault(); zone.classList.add("drop-over"); });
    for (const name of ["dragleave", "drop"]) zone.addEventListener(name, (e) => { e.preventDefault(); zone.classList.remove("drop-over"); });
    zone.addEventListener("drop", (event) => {
      if (!event.dataTransfer.files.length) return;
      input.files = event.dataTransfer.files;
      seen();
    });
    input.addEventListener("change", seen);
  }

  // Ctrl-K, g chords, / and ?.
  let chord = 0;
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      const dialog = $("#palette");
      if (!dialog) return;
      event.preventDefault();
      dialog.open ? dialog.close() : open(dialog);
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || $("dialog:modal")) return;
    if (event.key === "?") { const help = $("#keys-help"); if (help) { event.preventDefault(); open(help); } return; }
    if (event.key === "/") { const box = $("[data-search-key]"); if (box) { event.preventDefault(); box.focus(); box.select(); } return; }
    if (event.key === "g") { chord = Date.now(); return; }
    if (Date.now() - chord < 1500) {
      chord = 0;
      const link = $(`a[data-chord="${CSS.escape(event.key)}"]`);
      if (link) { event.preventDefault(); location.href = link.href; }
    }
  });

  // The palette filters links. They are loaded when it is opened first.
  function palette(dialog) {
    const box = $("[data-palette-search]", dialog);
    const list = $("[data-palette-list]", dialog);
    const none = $("[data-palette-none]", dialog);
    const failed = $("[data-palette-failed]", dialog);
    let items = [];
    let loading = false;
    const visible = () => items.filter((item) => !item.hidden);
    const choose = (item) => {
      for (const other of items) $("a", other).classList.toggle("chosen", other === item);
      item?.scrollIntoView({ block: "nearest" });
    };
    const filter = () => {
      const wanted = box.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const item of items) item.hidden = !wanted.every((word) => item.textContent.toLowerCase().includes(word));
      none.hidden = !items.length || visible().length > 0;
      choose(visible()[0]);
    };
    const load = async () => {
      if (items.length || loading) return;
      loading = true;
      failed.hidden = true;
      list.setAttribute("aria-busy", "true");
      try {
        const answer = await fetch(list.dataset.paletteList, { headers: { Accept: "text/html" } });
        if (!answer.ok) throw new Error(String(answer.status));
        list.innerHTML = await answer.text();
        items = $$(":scope > li", list);
        filter();
      } catch {
        failed.hidden = false;
      }
      list.removeAttribute("aria-busy");
      loading = false;
    };
    new MutationObserver(() => { if (dialog.open) load(); }).observe(dialog, { attributeFilter: ["open"] });
    box.addEventListener("input", filter);
    dialog.addEventListener("close", () => { box.value = ""; filter(); });
    dialog.addEventListener("keydown", (event) => {
      const shown = visible();
      const now = shown.findIndex((item) => $("a", item).classList.contains("chosen"));
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        const step = event.key === "ArrowDown" ? 1 : -1;
        choose(shown[(now + step + shown.length) % shown.length]);
      }
      if (event.key === "Enter" && document.activeElement === box && shown.length) {
        event.preventDefault();
        location.href = $("a", shown[Math.max(0, now)]).href;
      }
    });
  }

  // A row opens at the side: the drawer draws the page that its link leads to, and the address becomes that page's, so that it can be
  // shared and reloaded. Going back, Escape and a click outside close it.
  let behind = ""; // the address of the list while a drawer is open
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-drawer]");
    const drawer = link && document.getElementById(link.dataset.drawer);
    if (!drawer || !window.htmx || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    const body = $(".drawer-page", drawer);
    $("h2", drawer).textContent = link.dataset.drawerTitle;
    $("[data-drawer-page]", drawer).href = link.href;
    body.replaceChildren();
    drawer.setAttribute("aria-busy", "true");
    open(drawer, $("h2", drawer));
    if (!behind) {
      behind = location.href;
      history.pushState({ drawer: true }, "", link.href);
      drawer.addEventListener("close", shut, { once: true });
    }
    window.htmx.ajax("GET", link.href, { target: body, select: "#ring", swap: "innerHTML" })
      .then(() => { drawer.removeAttribute("aria-busy"); relate(body); if (!body.firstElementChild) location.href = link.href; }, () => { location.href = link.href; });
  });
  function shut(event) {
    window.htmx.swap(event.target.querySelector(".drawer-page"), "", { swapStyle: "innerHTML" }); // ends its stream too
    if (behind && location.href !== behind) history.back();
    else behind = "";
  }
  addEventListener("popstate", (event) => {
    if (!behind) return;
    event.stopImmediatePropagation();
    behind = "";
    $("dialog.drawer[open]")?.close();
  });

  // A list that gets news of rings draws itself again, as long as nobody points into it, types, or has something open. Otherwise it says how
  // many are new.
  function listen(list) {
    const seen = new Set();
    const fresh = new Set();
    let waiting = false, held = false, drawing = false;
    const note = () => { for (const row of $$("[data-ring]", list)) seen.add(row.dataset.ring); };
    const busy = () => held || paused() || drawing || document.hidden || $("dialog:modal") || list.contains(document.activeElement);
    const tell = () => {
      const button = $("[data-live-new]");
      button.hidden = !waiting || drawing;
      button.textContent = fresh.size ? `${fresh.size} new` : "Changes";
    };
    const draw = async () => {
      drawing = true;
      waiting = false;
      const before = new Set(seen);
      fresh.clear();
      tell();
      try { await window.htmx.ajax("GET", location.pathname + location.search, { target: "#list-body", select: "#list-body", swap: "outerHTML" }); } catch { waiting = true; }
      for (const row of $$("[data-ring]", list)) row.classList.toggle("row-new", !before.has(row.dataset.ring));
      note();
      drawing = false;
      next();
    };
    const next = () => { if (waiting && !busy()) draw(); else tell(); };
    note();
    list.addEventListener("pointerover", (event) => { held = event.pointerType === "mouse" && Boolean(event.target.closest("#list-body")); });
    list.addEventListener("pointerleave", () => { held = false; next(); });
    for (const name of ["focusout", "close"]) document.addEventListener(name, () => setTimeout(next), true);
    document.addEventListener("visibilitychange", next);
    document.addEventListener("click", (event) => {
      if (event.target.closest("[data-live-new]")) draw();
      else if (event.target.closest("[data-live-pause]")) setTimeout(next);
    });
    document.addEventListener("htmx:afterSettle", note);
    const source = new EventSource(list.dataset.liveList);
    source.addEventListener("open", () => { if (!paused()) state("live", "Live"); });
    source.addEventListener("error", () => { if (!paused()) state("reconnecting", "Reconnecting…"); });
    let ready = false;
    source.addEventListener("ready", () => { waiting ||= ready; ready = true; next(); }); // it may have missed some while it was away
    source.addEventListener("rings", (event) => {
      for (const id of event.data.split(" ")) if (!seen.has(id)) fresh.add(id);
      waiting = true;
      next();
    });
    addEventListener("pagehide", () => source.close());
  }

  // The live chip: live, paused, reconnecting. Paused keeps the newest fragment and draws it on resuming.
  const chip = () => $("[data-live]");
  let kept = null;
  let over = false;
  function state(name, text) {
    const el = chip();
    if (!el) return;
    el.hidden = false;
    el.dataset.live = name;
    $("[data-live-text]", el).textContent = text;
  }
  const paused = () => chip()?.dataset.live === "paused";
  const drawn = (event) => event.target.closest?.("dialog"); // a stream in a drawer is not the page's
  document.addEventListener("htmx:sseOpen", (event) => { if (!drawn(event) && !paused()) state("live", "Live"); });
  document.addEventListener("htmx:sseError", (event) => { if (!drawn(event) && !paused() && !over) state("reconnecting", "Reconnecting…"); });
  document.addEventListener("htmx:sseClose", (event) => {
    if (drawn(event)) return;
    over = true;
    const el = chip();
    if (!el) return;
    state("paused", "Finished");
    $("[data-live-pause]", el).hidden = true;
  });
  document.addEventListener("htmx:sseBeforeMessage", (event) => {
    if (!paused() || over || drawn(event)) return;
    kept = { target: event.target, data: event.detail.data };
    event.preventDefault();
  });
  document.addEventListener("htmx:sseMessage", () => { relate(); tick(); });
  document.addEventListener("htmx:afterSettle", () => relate());
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-live-pause]");
    if (!button) return;
    const pause = !paused();
    button.setAttribute("aria-pressed", String(pause));
    button.setAttribute("aria-label", pause ? "Resume live updates" : "Pause live updates");
    state(pause ? "paused" : "live", pause ? "Paused" : "Live");
    if (!pause && kept) {
      kept.target.innerHTML = kept.data;
      window.htmx?.process(kept.target);
      kept = null;
      relate();
    }
  });

  // A page that must be seen again after it was left through history shows nothing old.
  addEventListener("pageshow", (event) => { if (event.persisted && $("[data-secret]")) location.reload(); });

  for (const el of $$("[data-needs-script]")) el.hidden = false;
  $$("dialog[data-secret]").forEach(secret);
  $$("form[data-confirm]").forEach((form) => { if (form.dataset.confirm) guard(form); });
  $$("[data-drop]").forEach(drop);
  $$("#palette").forEach(palette);
  $$("[data-live-list]").forEach(listen);
  relate();

  // The trial form proposes the time zone of the browser. UTC is what the server proposes.
  const zone = $("input[name=time_zone]");
  if (zone && zone.value === "UTC" && location.pathname === "/trial") {
    zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone || zone.value;
  }
})();
