export { normaliseEmail } from './email.ts'
export { parsePhone, phoneCountry } from './phone.ts'
export { contactPointWords } from './words.ts'
export { CHANNELS } from './channels.ts'
