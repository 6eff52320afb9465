import type { ServerOptions } from 'node:https'

/** As Sealbook serves (src/kernel/http); key and certificate are its own files. */
export const serverTls: ServerOptions = { minVersion: 'TLSv1.3', ecdhCurve: 'X25519MLKEM768:X25519:P-256' }
