import { knows, onLanguage, say } from './words.js'

const $ = (id) => document.getElementById(id)
const AGAIN_MS = 10_000
let facts = null
let reachable = true

/** Only codes come from the server: the words are ours, in the reader's language, and hold no path. */
function finding({ code, level }) {
  const known = knows(`what ${code}`) ? code : 'other'
  const item = line(level, say(`what ${known}`))
  item.append(document.createElement('br'), say(`fix ${known}`))
  return item
}

function line(level, text) {
  const item = document.createElement('li')
  item.dataset.level = level
  const strong = document.createElement('strong')
  strong.textContent = text
  item.append(strong)
  return item
}

function draw() {
  $('health').textContent = !reachable ? say('unreachable') : facts ? say(facts.status) : '…'
  if (!facts) return
  $('version').textContent = facts.version
  $('ledger').textContent = facts.ledgerSize.toLocaleString(document.documentElement.lang)
  const items = facts.posture.length > 0 ? facts.posture.map(finding) : [line('good', say('postureGood'))]
  $('posture').replaceChildren(...items)
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
