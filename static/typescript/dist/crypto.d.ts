/** WebCrypto, which Node 18 keeps in a module. */
export declare function webCrypto(): Promise<Crypto>;
