export { openTls, type Tls, type TlsOptions } from './tls.ts'
export { checkServed, type TlsFinding } from './served.ts'
export { hostsOf } from './names.ts'
