// Passkeys: a form asks the server for a challenge, the browser for an answer, and sends the answer
// as a field. Without this script such forms stay hidden, or say what they need.
(() => {
  "use strict";
  const word = self.carillonWord || ((english) => english);
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  // options turns what the server sent into what the browser takes.
  function options(sent) {
    const o = sent.publicKey;
    o.challenge = bytes(o.challenge);
    if (o.user) o.user.id = bytes(o.user.id);
    for (const list of [o.allowCredentials, o.excludeCredentials]) {
      for (const c of list || []) c.id = bytes(c.id);
    }
    return { publicKey: o };
  }

  function answer(credential) {
    const response = {};
    for (const part of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (credential.response[part]) response[part] = text(credential.response[part]);
    }
    if (credential.response.getTransports) response.transports = credential.response.getTransports();
    return JSON.stringify({
      id: credential.id, rawId: text(credential.rawId), type: credential.type, response,
      clientExtensionResults: credential.getClientExtensionResults(),
    });
  }

  // failed says why there is no passkey, in words.
  function failed(error) {
    switch (error && error.name) {
      case "NotAllowedError": return word("The browser gave no passkey: it was cancelled, or took too long. Try again.");
      case "InvalidStateError": return word("This device has a passkey for your account already.");
      case "SecurityError": return word("The browser makes no passkeys for this address. Open the server by its name, such as localhost.");
      default: return word("That did not work. Reload the page and try again.");
    }
  }

  async function ask(form) {
    const session = document.querySelector("[data-session]");
    const sent = await fetch(form.dataset.begin, {
      method: "POST", redirect: "error", headers: session ? { "Carillon-Session": session.dataset.session } : {},
    });
    if (!sent.ok) throw new Error(String(sent.status));
    const want = options(await sent.json());
    return form.dataset.passkey === "create" ? navigator.credentials.create(want) : navigator.credentials.get(want);
  }

  const able = "PublicKeyCredential" in window;
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const says = form.querySelector("[data-passkey-says]");
    if (able) form.hidden = false;
    else says.textContent = word("This browser has no passkeys, or the page was not opened over https.");
    form.addEventListener("submit", async (event) => {
      if (form.elements.credential.value) return;
      event.preventDefault();
      if (!able) return;
      const button = form.querySelector("button[type=submit]");
      button.disabled = true;
      says.textContent = "";
      try {
        form.elements.credential.value = answer(await ask(form));
        form.submit();
      } catch (error) {
        says.textContent = failed(error);
        button.disabled = false;
      }
    });
  }
})();
