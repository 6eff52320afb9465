import { existsSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { Secret, TOTP } from 'otpauth'
import { chromium, type Browser, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeServerCertificate } from '../../../../test/harness/certificates.ts'
import { bareServer, OWNER, type BareServer } from '../../../../test/harness/identity.ts'
import { isSetUp } from '../index.ts'

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((p) => existsSync(p))

/** Without a browser on the machine the page's API is still tested (setup.test.ts); install `chromium` to run these. */
describe.skipIf(!CHROMIUM)('the set-up page in a browser', () => {
  let server: BareServer
  let browser: Browser
  let origin: string
  beforeAll(async () => {
    server = await bareServer(await makeServerCertificate('localhost'))
    await server.app.listen({ port: 0, host: '127.0.0.1' })
    origin = `https://localhost:${(server.app.server.address() as AddressInfo).port}`
    browser = await chromium.launch({ executablePath: CHROMIUM!, args: ['--no-sandbox'] })
  }, 60_000)
  afterAll(async () => {
    await browser.close()
    await server.close()
  })

  async function open(url: string, locale: string): Promise<{ page: Page; complaints: string[] }> {
    const context = await browser.newContext({ ignoreHTTPSErrors: true, locale })
    const page = await context.newPage()
    const complaints: string[] = []
    page.on('console', (m) => m.type() === 'error' && complaints.push(m.text()))
    page.on('pageerror', (e) => complaints.push(String(e)))
    await page.goto(url)
    return { page, complaints }
  }

  it('I follow the link, choose a language, and become the owner with an app and a kit in hand', async () => {
    const { page, complaints } = await open((await server.page.url(origin))!, 'zh-CN')
    await page.waitForSelector('#owner:not([hidden])')
    // The secret is out of the address bar before anything else happens.
    expect(page.url()).toBe(`${origin}/setup`)
    expect(await page.textContent('#owner h1')).toBe('设置密客')
    await page.click('#language')
    expect(await page.textContent('#owner h1')).toBe('Set up Sealbook')

    await page.click('#owner button[type=submit]')
    expect(await page.textContent('#fault')).toBe('Fill in what is marked.')
    for (const [name, value] of Object.entries({ organisation: 'Acme', ownerName: 'Wang Xiaoming', ownerEmail: OWNER.email, ownerPassword: OWNER.password })) await page.fill(`[name=${name}]`, value)
    expect(await page.textContent('#strength')).toBe('Very good.')
    await page.click('#owner button[type=submit]')

    await page.waitForSelector('#factor:not([hidden]) svg')
    const totp = new TOTP({ secret: Secret.fromBase32((await page.textContent('#secret'))!.replaceAll(' ', '')) })
    await page.fill('[name=code]', totp.generate())
    await page.click('#factor button[type=submit]')

    await page.waitForSelector('#kit:not([hidden])')
    const kit = (await page.textContent('#kit-text'))!
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')])
    expect(download.suggestedFilename()).toBe('sealbook-recovery-kit.txt')
    await page.fill('[name=readBack]', 'not the code')
    await page.click('#kit button[type=submit]')
    await page.waitForSelector('#fault:not([hidden])')
    await page.fill('[name=readBack]', kit)
    await page.click('#kit button[type=submit]')
    await page.waitForSelector('#done:not([hidden])')
    expect((await page.textContent('#code-list'))!.split('\n')).toHaveLength(10)
    expect(await isSetUp(server.deps.db)).toBe(true)

    await page.click('#done a')
    // Not waitForFunction: it evaluates a string in the page, which our own policy refuses.
    await page.waitForSelector('#version:not(:empty)')
    expect(await page.textContent('h1')).toBe('Status of this server')
    expect(complaints).toEqual([])
    await page.context().close()
  }, 60_000)

  it('a link that was used tells me so', async () => {
    const { page } = await open(`${origin}/setup#${'A'.repeat(43)}`, 'en')
    await page.waitForSelector('#wrong-link:not([hidden])')
    expect(await page.textContent('#wrong-link h1')).toBe('This set-up link is not valid')
    await page.context().close()
  })
})
