import { lookup } from 'node:dns/promises'
import { request } from 'node:https'
import { BlockList, isIP, isIPv6 } from 'node:net'
import { Refusal } from '../../kernel/base/index.ts'

/** Networks that are not the public internet (IANA special-purpose registries): this machine, this house, this cloud's metadata, nobody. */
const SPECIAL_4 = ['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.31.196.0/24', '192.52.193.0/24', '192.88.99.0/24', '192.168.0.0/16', '192.175.48.0/24', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4']
/** Only 2000::/3 is public at all; of it these are not, or carry an IPv4 address inside that would have to be judged by itself. */
const SPECIAL_6 = ['2001::/23', '2001:db8::/32', '2002::/16', '2620:4f:8000::/48', '3fff::/20']

function networks(list: readonly string[]): BlockList {
  const block = new BlockList()
  for (const text of list) {
    const [address = '', bits = ''] = text.split('/')
    const family = isIP(address)
    const most = family === 6 ? 128 : 32
    if (!family || !/^\d{1,3}$/.test(bits) || Number(bits) > most) throw new Refusal('config-invalid', 'Correct the environment: SEALBOOK_WEBHOOK_NETWORKS: must be networks such as 10.1.0.0/16, separated by commas.', 2)
    block.addSubnet(address, Number(bits), family === 6 ? 'ipv6' : 'ipv4')
  }
  return block
}

const special4 = networks(SPECIAL_4)
const special6 = networks(SPECIAL_6)
const public6 = networks(['2000::/3'])

export interface Address {
  address: string
  family: number
}

/** Where webhooks may go: the public internet, and networks the operator named. */
export class Targets {
  readonly #allowed: BlockList

  /** `allowed`: networks in CIDR form. Throws Refusal config-invalid. */
  constructor(allowed: readonly string[]) {
    this.#allowed = networks(allowed)
  }

  isAllowed(address: string): boolean {
    const six = isIPv6(address)
    if (this.#allowed.check(address, six ? 'ipv6' : 'ipv4')) return true
    return six ? public6.check(address, 'ipv6') && !special6.check(address, 'ipv6') : !special4.check(address, 'ipv4')
  }

  /** The addresses of a host, all of them allowed; null when one is not. Throws what resolving throws. */
  async resolve(host: string): Promise<Address[] | null> {
    const bare = host.replace(/^\[|\]$/g, '')
    const family = isIP(bare)
    const found = family ? [{ address: bare, family }] : await lookup(bare, { all: true })
    return found.length > 0 && found.every((a) => this.isAllowed(a.address)) ? found : null
  }
}

/** What is wrong with an address somebody typed, as the code of an error, or null. */
export function faultOfUrl(text: string): string | null {
  const url = URL.parse(text)
  if (!url || url.hostname === '') return 'url-invalid'
  if (url.protocol !== 'https:') return 'https-only'
  if (url.username !== '' || url.password !== '') return 'url-credentials'
  return url.hash === '' ? null : 'url-invalid'
}

export type Outcome = { outcome: 'delivered' | 'refused'; status: number; retryAfterSeconds: number | null } | { outcome: 'unreachable' | 'address-refused'; status: null }

const TIMEOUT_MS = 10_000

function retryAfter(value: string | undefined): number | null {
  return value !== undefined && /^\d{1,6}$/.test(value) ? Number(value) : null
}

/**
 * Sends one message. The name is resolved here, every address is judged, and the connection is made to these very addresses: a name that
 * answers otherwise a moment later changes nothing. A redirect is an answer like any other that is not 2xx; what the body says is not read.
 */
export async function post(targets: Targets, url: string, headers: Record<string, string>, body: string, stop?: AbortSignal): Promise<Outcome> {
  const target = new URL(url)
  const addresses = await targets.resolve(target.hostname).catch(() => undefined)
  if (addresses === undefined) return { outcome: 'unreachable', status: null }
  if (addresses === null) return { outcome: 'address-refused', status: null }
  const signal = AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), ...(stop ? [stop] : [])])
  return new Promise((resolve) => {
    const sent = request(
      target,
      {
        method: 'POST',
        agent: false,
        signal,
        minVersion: 'TLSv1.2',
        lookup: (_host, options, done) => (options.all ? done(null, addresses) : done(null, addresses[0]!.address, addresses[0]!.family)),
        headers: { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(body)), 'User-Agent': 'Sealbook', ...headers },
      },
      (answer) => {
        const status = answer.statusCode ?? 0
        answer.on('error', () => undefined)
        answer.destroy()
        resolve({ outcome: status >= 200 && status < 300 ? 'delivered' : 'refused', status, retryAfterSeconds: retryAfter(answer.headers['retry-after']) })
      },
    )
    sent.on('error', () => resolve({ outcome: 'unreachable', status: null }))
    sent.end(body)
  })
}
