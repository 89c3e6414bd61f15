/** WebCrypto, which Node 18 keeps in a module. */
export async function webCrypto() {
    if (globalThis.crypto !== undefined)
        return globalThis.crypto;
    const module = "node:crypto"; // in a variable, so that tools for the edge do not look for it
    return (await import(module)).webcrypto;
}
