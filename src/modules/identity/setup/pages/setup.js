import { currentLocale, onLanguage, say } from './words.js'

const $ = (id) => document.getElementById(id)
const sections = ['wrong-link', 'owner', 'factor', 'kit', 'done']
const steps = ['owner', 'factor', 'kit']

// The secret stands in the fragment, which is never sent. It is taken out of the address bar at once, so that it is not
// bookmarked, photographed or left in the history.
const secret = location.hash.slice(1)
history.replaceState(null, '', location.pathname)

let fault = null
let withApp = true

function show(name) {
  for (const id of sections) $(id).hidden = id !== name
  $('steps').hidden = !steps.includes(name)
  for (const [i, item] of [...$('steps').children].entries()) {
    if (steps[i] === name) item.setAttribute('aria-current', 'step')
    else item.removeAttribute('aria-current')
  }
  tell(null)
  $(name).querySelector('input, textarea')?.focus({ preventScroll: true })
  scrollTo(0, 0)
}

function tell(key) {
  fault = key
  $('fault').hidden = key === null
  $('fault').textContent = key === null ? '' : say(key)
  if (key !== null) $('fault').scrollIntoView({ block: 'nearest' })
}

/** Posts to the API; throws the problem's body. */
async function post(path, body) {
  let answer
  try {
    answer = await fetch(`/api/v1/setup/${path}`, { method: 'POST', headers: { 'Content-Type': 'application/json', 'Accept-Language': currentLocale() }, body: JSON.stringify({ secret, ...body }) })
  } catch {
    throw { code: 'unreachable' }
  }
  const value = await answer.json()
  if (!answer.ok) throw value
  return value
}

/** One word for what went wrong, in the language of the moment. */
function wordOf(problem) {
  const code = problem.errors?.[0]?.code
  if (code === 'code-wrong') return 'codeWrong'
  if (code && say(code) !== code) return code
  return say(problem.code) === problem.code ? 'failedText' : problem.code
}

async function attempt(form, work) {
  const buttons = form.querySelectorAll('button')
  for (const b of buttons) b.disabled = true
  tell(null)
  try {
    await work()
  } catch (problem) {
    if (problem.code === 'setup-link-invalid' || problem.code === 'already-set-up') show('wrong-link')
    else if (form !== $('owner') && problem.errors?.[0]?.path?.startsWith('owner')) {
      show('owner')
      tell(wordOf(problem))
    } else tell(wordOf(problem))
  } finally {
    for (const b of buttons) b.disabled = false
  }
}

/** True when everything required is there; marks what is not. */
function filled(form) {
  let whole = true
  for (const field of form.querySelectorAll('[required]')) {
    const good = field.value.trim() !== '' && field.checkValidity()
    field.setAttribute('aria-invalid', String(!good))
    whole &&= good
  }
  if (!whole) tell('empty')
  return whole
}

function strengthOf(password) {
  const lower = password.toLowerCase()
  if (password === '') return 0
  const own = ['organisation', 'ownerName', 'ownerEmail'].flatMap((n) => $('owner').elements[n].value.toLowerCase().split(/[^\p{L}\p{N}]+/u)).filter((w) => w.length > 2)
  const rest = own.reduce((s, w) => s.replaceAll(w, ''), lower)
  if (new Set(lower).size < 5 || /^(?:[a-z]*(?:passw|qwert|abcd|1234|admin|welcome)[\s\S]{0,8})$/.test(lower) || rest.replace(/[^\p{L}]/gu, '').length < 4) return 2
  if ([...password].length < 15) return 1
  return [...password].length < 22 ? 3 : 4
}

function showStrength() {
  const score = strengthOf($('owner').elements.ownerPassword.value)
  $('meter').value = score === 2 ? 1 : score
  $('strength').textContent = say(`strength${score}`)
}

function fillCountries() {
  const select = $('owner').elements.country
  const chosen = select.value || (currentLocale() === 'zh-CN' ? 'CN' : 'US')
  const names = new Intl.DisplayNames([currentLocale()], { type: 'region' })
  const codes = 'AE AR AT AU BE BG BR CA CH CL CN CO CZ DE DK EE EG ES FI FR GB GR HK HR HU ID IE IL IN IT JP KE KR LT LU LV MA MO MX MY NG NL NO NZ PE PH PK PL PT RO RS SA SE SG SI SK TH TR TW UA US VN ZA'.split(' ')
  const options = codes.map((code) => [names.of(code), code]).sort((a, b) => a[0].localeCompare(b[0], currentLocale()))
  select.replaceChildren(...options.map(([name, code]) => new Option(name, code, false, code === chosen)))
}

/** The server's SVG becomes elements of the page without passing through innerHTML. */
function showQr(svg) {
  const parsed = new DOMParser().parseFromString(svg, 'image/svg+xml').documentElement
  parsed.setAttribute('role', 'img')
  parsed.setAttribute('aria-label', 'QR')
  $('qr').replaceChildren(document.importNode(parsed, true))
}

async function offerFactor() {
  const { organisation, ownerEmail } = $('owner').elements
  const offered = await post('totp', { organisation: organisation.value, email: ownerEmail.value })
  showQr(offered.qrSvg)
  $('secret').textContent = offered.secret.match(/.{1,4}/g).join(' ')
  show('factor')
}

async function offerKit() {
  // Going back and forth must not void the copy that was already printed.
  if ($('kit-text').textContent === '') $('kit-text').textContent = (await post('kit', {})).text
  show('kit')
}

function save(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/plain' }))
  const link = Object.assign(document.createElement('a'), { href: url, download: name })
  link.click()
  URL.revokeObjectURL(url)
}

async function finish() {
  const read = await post('kit/verify', { code: $('kit').elements.readBack.value })
  if (!read.ok) return tell('kitWrong')
  const { organisation, country, locale, ownerName, ownerEmail, ownerPassword } = $('owner').elements
  const form = { organisation: organisation.value, country: country.value, locale: locale.value, ownerName: ownerName.value, ownerEmail: ownerEmail.value, ownerPassword: ownerPassword.value }
  const { recoveryCodes } = await post('complete', { ...form, totp: withApp })
  $('codes').hidden = recoveryCodes.length === 0
  $('code-list').textContent = recoveryCodes.join('\n')
  for (const id of ['owner', 'factor', 'kit']) $(id).reset()
  $('kit-text').textContent = ''
  show('done')
}

function on(form, work) {
  $(form).addEventListener('submit', (event) => {
    event.preventDefault()
    if (filled($(form))) void attempt($(form), work)
  })
}

on('owner', offerFactor)
on('factor', async () => {
  await post('totp/confirm', { code: $('factor').elements.code.value })
  withApp = true
  await offerKit()
})
on('kit', finish)
$('skip').addEventListener('click', () => {
  withApp = false
  void attempt($('factor'), offerKit)
})
for (const button of document.querySelectorAll('.back')) button.addEventListener('click', () => show(steps[steps.indexOf(button.closest('form').id) - 1]))
$('show').addEventListener('change', (event) => ($('owner').elements.ownerPassword.type = event.target.checked ? 'text' : 'password'))
$('owner').addEventListener('input', showStrength)
$('download').addEventListener('click', () => save('sealbook-recovery-kit.txt', $('kit-text').textContent))
$('download-codes').addEventListener('click', () => save('sealbook-recovery-codes.txt', $('code-list').textContent))
for (const id of ['print', 'print-codes']) $(id).addEventListener('click', () => print())

onLanguage(() => {
  fillCountries()
  showStrength()
  if (fault) tell(fault)
})
$('owner').elements.locale.value = currentLocale()
post('open', {}).then(
  () => show('owner'),
  (problem) => (problem.code === 'unreachable' ? tell('unreachable') : show('wrong-link')),
)
