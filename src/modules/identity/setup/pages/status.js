import { onLanguage, say } from './words.js'

const $ = (id) => document.getElementById(id)
const AGAIN_MS = 10_000
let facts = null
let reachable = true

function finding({ code, level, what, fix }) {
  const item = document.createElement('li')
  item.dataset.level = level
  item.dataset.code = code
  const strong = document.createElement('strong')
  strong.textContent = what
  item.append(strong)
  if (fix) item.append(document.createElement('br'), fix)
  return item
}

function draw() {
  $('health').textContent = !reachable ? say('unreachable') : facts ? say(facts.status) : '…'
  if (!facts) return
  $('version').textContent = facts.version
  $('ledger').textContent = facts.ledgerSize.toLocaleString(document.documentElement.lang)
  const list = facts.posture.length > 0 ? facts.posture : [{ code: 'good', level: 'good', what: say('postureGood'), fix: '' }]
  $('posture').replaceChildren(...list.map(finding))
}

async function refresh() {
  try {
    const answer = await fetch('/api/v1/status/facts', { headers: { 'Accept-Language': document.documentElement.lang } })
    facts = await answer.json()
    reachable = true
  } catch {
    reachable = false
  }
  draw()
  setTimeout(refresh, AGAIN_MS)
}

onLanguage(draw)
void refresh()
