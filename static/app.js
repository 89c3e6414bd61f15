// The console's small script. Every page works without it; it makes pages quicker to use.
// No inline code and no eval: it runs under "script-src 'self'".
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const words = JSON.parse($("#words")?.textContent || "{}"); // in the page's language; none in English
  const word = self.carillonWord = (english) => words[english] || english;
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

  // The entry of this page is in sight, also in a low window.
  $(".side-body [aria-current]")?.scrollIntoView({ block: "nearest" });

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
    say(word("Copied"));
    setTimeout(() => button.classList.remove("copied"), 1800);
  });

  // Times: relative words in the page's language, the full time in the title.
  const spoken = document.documentElement.lang === "es" ? "es-US" : "en"; // pages write numbers as in the United States
  const ago = new Intl.RelativeTimeFormat(spoken, { numeric: "auto" });
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
      el.textContent = Math.abs(seconds) < 5 ? word("just now") : ago.format(Math.trunc(seconds / size), unit);
    }
    for (const el of $$("[data-countdown]", root)) {
      const left = Math.max(0, Math.round((Date.parse(el.dateTime) - Date.now()) / 1000));
      el.textContent = left ? `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}` : word("none");
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
    for (const pop of $$(menus)) if (!pop.contains(event.target)) pop.open = false;
  });

  // Menus close when the focus leaves them, and on Escape, which gives the focus back to what opened them.
  const menus = "details.pop[open], details.side-menu[open]";
  // A mouse press on a text inside one gives the focus to what is around it, such as <main tabindex=-1>.
  document.addEventListener("focusin", (event) => {
    for (const pop of $$(menus)) if (!pop.contains(event.target) && !event.target.contains(pop)) pop.open = false;
  });
  document.addEventListener("keydown", (event) => {
    const pop = event.key === "Escape" && !$("dialog:modal") && (event.target.closest(menus) || $$(menus).at(-1));
    if (!pop) return;
    pop.open = false;
    $("summary", pop).focus();
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
    dialog.addEventListener("cancel", (event) => { if (!stored.checked) { event.preventDefault(); say(word("Store the secret first")); } });
    dialog.addEventListener("close", () => { if (!stored.checked) dialog.showModal(); });
    stored.addEventListener("change", gate);
    gate();
  }

  // Deleting asks for the name.
  function guard(form) {
    const input = $("input[name=confirm]", form);
    const button = $("[data-confirm-button]", form);
    if (!input || !button) return;
    const plain = (name) => name.normalize("NFC").trim().replace(/[‘’]/g, "'").replace(/[“”]/g, '"'); // phones write curly quotes
    const gate = () => { button.disabled = plain(input.value) !== plain(form.dataset.confirm); };
    input.addEventListener("input", gate);
    gate();
  }

  // Filters apply when chosen.
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-auto-submit]");
    if (!form || !event.target.matches("select, input[type=date]")) return;
    chosen(event.target.id);
    form.requestSubmit();
  });
  // Then the page loads again, and the focus comes back to the filter: the next one is a Tab away.
  function chosen(id) {
    const key = "chosen " + location.pathname;
    try {
      if (id) return sessionStorage.setItem(key, id);
      document.getElementById(sessionStorage.getItem(key))?.focus();
      sessionStorage.removeItem(key);
    } catch {
      // A browser that keeps nothing has the focus at the top.
    }
  }
  chosen();

  // Rows that are ticked: how many, all of them at once, and what can be done to them.
  const picks = () => $$("input[type=checkbox][form=bulk]");
  function ticked() {
    const bar = $("[data-bulk]");
    if (!bar) return;
    const all = picks(), on = all.filter((box) => box.checked).length;
    const every = $("[data-pick-all]", bar);
    every.closest("label").hidden = false;
    every.checked = on > 0 && on === all.length;
    every.indeterminate = on > 0 && on < all.length;
    $("[data-bulk-count]", bar).textContent = on ? word("{n} selected").replace("{n}", on) : word("Select all on this page");
    bar.classList.toggle("bulk-idle", !on);
    bar.hidden = !all.length;
  }
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-pick-all]")) for (const box of picks()) box.checked = event.target.checked;
    if (event.target.matches("[data-pick-all], [form=bulk]")) ticked();
  });
  document.addEventListener("htmx:afterSettle", ticked);
  addEventListener("pageshow", ticked);
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
        say(word("Key id read from the file name"));
      }
      const kind = /\.p8$/i.test(file.name) ? "p8" : /\.p12$|\.pfx$/i.test(file.name) ? "p12" : ""; // "" = the server looks into the file
      for (const el of $$("[data-for-kind]", form)) {
        const mine = !kind || el.dataset.forKind === kind;
        el.hidden = !mine;
        for (const inner of $$("input", el)) inner.disabled = !mine;
      }
      for (const el of $$("[data-needed-for]", form)) el.required = el.dataset.neededFor === kind;
      if (file.size > 65536) say(word("That file is too large to be a key"));
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

  // The palette: the server finds what fits the words. Until it has answered, the entries at hand are filtered.
  function palette(dialog) {
    const box = $("[data-palette-search]", dialog);
    const list = $("[data-palette-list]", dialog);
    const none = $("[data-palette-none]", dialog);
    const failed = $("[data-palette-failed]", dialog);
    let items = [], asked, waiting = 0;
    const entry = (item) => $("a, button", item);
    const visible = () => items.filter((item) => !item.hidden);
    const choose = (item) => {
      for (const other of items) entry(other).classList.toggle("chosen", other === item);
      item?.scrollIntoView({ block: "nearest" });
    };
    const filter = () => {
      const wanted = box.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const item of items) item.hidden = !wanted.every((word) => item.textContent.toLowerCase().includes(word));
      choose(visible()[0]);
      clearTimeout(waiting);
      waiting = setTimeout(load, 150);
    };
    const load = async () => {
      const words = box.value.trim();
      if (words === asked || !dialog.open) return;
      asked = words;
      failed.hidden = true;
      list.setAttribute("aria-busy", "true");
      try {
        const html = await bring(list.dataset.paletteList + (words ? `?q=${encodeURIComponent(words)}` : ""));
        if (words !== asked) return; // somebody typed on
        list.innerHTML = html;
        items = $$(":scope > li", list);
        choose(items[0]);
        none.hidden = items.length > 0;
      } catch {
        if (words !== asked) return;
        asked = undefined;
        failed.hidden = false;
      }
      list.removeAttribute("aria-busy");
    };
    new MutationObserver(() => { if (dialog.open) load(); }).observe(dialog, { attributeFilter: ["open"] });
    box.addEventListener("input", filter);
    dialog.addEventListener("close", () => { box.value = ""; filter(); });
    list.addEventListener("submit", () => dialog.close());
    dialog.addEventListener("keydown", (event) => {
      const shown = visible();
      const now = shown.findIndex((item) => entry(item).classList.contains("chosen"));
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        const step = event.key === "ArrowDown" ? 1 : -1;
        choose(shown[(now + step + shown.length) % shown.length]);
      }
      if (event.key === "Enter" && document.activeElement === box && shown.length) {
        event.preventDefault();
        entry(shown[Math.max(0, now)]).click();
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
    bring(link.href).then((html) => {
      window.htmx.swap(body, html, { swapStyle: "innerHTML" }, { select: "#ring, #delivery" });
      drawer.removeAttribute("aria-busy");
      if (!body.firstElementChild) location.href = link.href;
      live(body);
    }).catch(() => { location.href = link.href; });
  });
  function shut(event) {
    event.target.querySelector(".drawer-page").replaceChildren();
    if (behind && location.href !== behind) history.back();
    else behind = "";
  }
  addEventListener("popstate", (event) => {
    if (!behind) return;
    event.stopImmediatePropagation();
    behind = "";
    $("dialog.drawer[open]")?.close();
  });

  // Two people, or two organisations of one person, may follow each other in one browser. A page says for which sign-in it was drawn, and
  // the server refuses to mix them: 409, or 401 where that sign-in has ended.
  const { session, stream } = document.body.dataset;
  async function bring(path) {
    const answer = await fetch(path, { headers: { Accept: "text/html", ...(session ? { "Carillon-Session": session } : {}) } });
    if (answer.status === 401 || answer.status === 409 || answer.redirected) return outdated();
    if (!answer.ok) throw Object.assign(new Error(String(answer.status)), { final: answer.status < 500 && answer.status !== 429 });
    return answer.text();
  }
  document.addEventListener("htmx:configRequest", (event) => { if (session) event.detail.headers["Carillon-Session"] = session; });
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    if (detail.xhr.status !== 401 && detail.xhr.status !== 409 && new URL(detail.xhr.responseURL).pathname !== "/signin") return;
    detail.shouldSwap = false;
    outdated();
  });
  function outdated() { // nothing follows but a reload
    const dialog = $("#outdated");
    if (dialog && !dialog.open) {
      state("paused", word("Ended"));
      dialog.addEventListener("cancel", (event) => event.preventDefault());
      dialog.addEventListener("close", () => location.reload());
      dialog.showModal();
    }
    return new Promise(() => {});
  }

  // What rings change is drawn again when a ring has news: the newest page of the list, and the part of a ring's page that changes, in the
  // drawer too. All tabs learn of news through one stream (live.js); each fetches what it shows.
  const views = new Map(); // element → view
  let listening = null, ready = false; // listening ends it
  function live(root) {
    $$("[data-live-list]", root).forEach(listView);
    $$("[data-live-part]", root).forEach(partView);
    if (views.size && stream && window.carillonLive) listening ||= window.carillonLive(stream, false, heard);
    next();
  }
  function heard({ type, data }) {
    if (type === "over") outdated();
    if (type === "open" && !paused()) state("live", word("Live"));
    if (type === "error" && !paused()) state("reconnecting", word("Reconnecting…"));
    if (type === "ready" || type === "error") ready = type === "ready";
    if (type === "ready") for (const view of views.values()) view.missed();
    if (type === "rings") for (const id of data.split(" ")) for (const view of views.values()) view.news(id);
    next();
  }
  function next() {
    for (const [el, view] of views) {
      if (el.isConnected) view.next();
      else views.delete(el);
    }
    if (views.size) return;
    listening?.();
    listening = null;
    ready = false;
  }
  // viewOf draws el again when it was told to wait for it and is not busy. told learns whether it waits; pause is the least time between two
  // times of drawing.
  function viewOf(el, { draw, busy, told = () => {}, pause = 0 }) {
    let waiting = false, drawing = false;
    const view = {
      wait() { waiting = true; },
      async next(now) {
        told(waiting && !drawing);
        if (!waiting || drawing || document.hidden || busy() && !now) return;
        waiting = false;
        drawing = true;
        told(false);
        let after = pause;
        try {
          if (await draw(now) === "busy") waiting = true;
        } catch (err) {
          waiting = !err.final;
          after = 3000;
        }
        relate();
        tick();
        setTimeout(() => { drawing = false; next(); }, after);
      },
    };
    views.set(el, view);
    return view;
  }
  function listView(el) {
    const rows = () => $$("[data-ring]", el);
    const button = $("[data-live-new]");
    const seen = new Set(), fresh = new Set();
    let held = false, first = true;
    const note = () => { for (const row of rows()) seen.add(row.dataset.ring); };
    const busy = () => held || paused() || $("dialog:modal") || el.contains(document.activeElement) || picks().some((box) => box.checked);
    const view = viewOf(el, {
      pause: 1000,
      busy,
      told: (waiting) => { button.hidden = !waiting; button.textContent = fresh.size ? word("{n} new").replace("{n}", fresh.size) : word("Changes"); },
      draw: async (now) => {
        const html = await bring(location.pathname + location.search);
        if (busy() && !now) return "busy"; // a row was chosen meanwhile: it must not be replaced under the hand
        const before = new Set(seen);
        fresh.clear();
        window.htmx.swap("#list-body", html, { swapStyle: "outerHTML" }, { select: "#list-body" });
        for (const row of rows()) row.classList.toggle("row-new", !before.has(row.dataset.ring));
        note();
      },
    });
    // The stream begins right after the page was drawn, unless its tab was in the background. In between, a ring under way may have ended; a
    // new ring has more news soon.
    view.missed = () => { if (!first || $("[data-going]", el) || performance.now() > 5000) view.wait(); first = false; };
    view.news = (id) => { if (!seen.has(id)) fresh.add(id); view.wait(); };
    note();
    el.addEventListener("pointerover", (event) => { held = event.pointerType === "mouse" && Boolean(event.target.closest("#list-body")); });
    el.addEventListener("pointerleave", () => { held = false; next(); });
    for (const name of ["focusout", "close"]) document.addEventListener(name, () => setTimeout(next), true);
    button.addEventListener("click", () => view.next(true));
    document.addEventListener("htmx:afterSettle", note);
  }
  function partView(el) {
    const aside = el.closest("dialog"); // the chip and its pause are the page's, not the drawer's
    const view = viewOf(el, {
      busy: () => !aside && paused(),
      draw: async () => {
        window.htmx.swap(el, await bring(el.dataset.livePart), { swapStyle: "innerHTML" });
        if (!$("[data-over]", el)) return;
        views.delete(el);
        if (aside) return;
        state("paused", word("Finished"));
        $("[data-live-pause]").hidden = true;
      },
    });
    view.missed = view.wait;
    view.news = (id) => { if (id === el.dataset.liveRing) view.wait(); };
    if (ready) view.missed(); // the drawer: the stream began before this was drawn
  }
  document.addEventListener("visibilitychange", next);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-live-pause]");
    if (!button) return;
    const pause = !paused();
    button.setAttribute("aria-pressed", String(pause));
    button.setAttribute("aria-label", word(pause ? "Resume live updates" : "Pause live updates"));
    state(pause ? "paused" : "live", word(pause ? "Paused" : "Live"));
    next();
  });

  // The live chip: live, paused, reconnecting.
  function state(name, text) {
    const el = $("[data-live]");
    if (!el) return;
    el.hidden = false;
    el.dataset.live = name;
    $("[data-live-text]", el).textContent = text;
  }
  function paused() { return $("[data-live]")?.dataset.live === "paused"; }
  document.addEventListener("htmx:afterSettle", () => relate());

  // The heat map is one stop of the Tab key; arrows lead to the cells beside, as they are drawn: phones turn it.
  for (const heat of $$(".heat")) {
    const cells = $$("a", heat);
    const stop = (cell) => { for (const other of cells) other.tabIndex = other === cell ? 0 : -1; };
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    stop(cells[0]);
    heat.addEventListener("focusin", (event) => { if (cells.includes(event.target)) stop(event.target); });
    heat.addEventListener("keydown", (event) => {
      const way = ways[event.key];
      if (!way || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
      event.preventDefault();
      const at = event.target.getBoundingClientRect();
      let next, least = Infinity;
      for (const cell of cells) {
        const to = cell.getBoundingClientRect();
        const [x, y] = [to.left - at.left, to.top - at.top];
        const [along, off] = way[0] ? [x * way[0], Math.abs(y)] : [y * way[1], Math.abs(x)];
        if (along > 1 && off < 2 && along < least) [next, least] = [cell, along];
      }
      next?.focus();
    });
  }

  // A page that must be seen again after it was left through history shows nothing old.
  addEventListener("pageshow", (event) => { if (event.persisted && $("[data-secret]")) location.reload(); });

  for (const el of $$("[data-needs-script]")) el.hidden = false;
  $$("dialog[data-secret]").forEach(secret);
  $$("form[data-confirm]").forEach((form) => { if (form.dataset.confirm) guard(form); });
  $$("[data-drop]").forEach(drop);
  $$("#palette").forEach(palette);
  live(document);
  relate();

  // The trial form proposes the time zone of the browser. UTC is what the server proposes.
  const zone = $("input[name=time_zone]");
  if (zone && zone.value === "UTC" && location.pathname === "/trial") {
    zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone || zone.value;
  }
})();
