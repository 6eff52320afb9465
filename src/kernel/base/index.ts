export { isUuid, uuidBytes, uuidText, uuidv7 } from './ids.ts'
export { lengthPrefixed, type Json } from './canonical.ts'
export { defineProblems, Problem, problemCodes, Refusal, type Locale } from './problem.ts'
export { openHome, readServerJson, removeServerJson, writeServerJson, type Home, type ServerJson } from './home.ts'
