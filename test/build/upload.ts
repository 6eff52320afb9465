import type { Answer, CallOptions, TestServer } from '../harness/server.ts'
import { multipartOf } from './files.ts'

/** Puts a file on a record (`contacts/{id}`), as a browser does. */
export function putFile(server: TestServer, record: string, name: string, bytes: Uint8Array, options: CallOptions = {}): Promise<Answer> {
  const { body, headers } = multipartOf({ record }, { name, bytes })
  return server.call('POST', '/attachments', body, { ...options, headers: { ...headers, ...options.headers } })
}
