/**
 * One name of its parts. Han, kana and Hangul put the surname first and no space between (王 + 小明 → 王小明), unless a
 * part is Latin; everyone else puts the given name first.
 */
export function joinName(first: string, last: string, middle = ''): string {
  const parts = [first, middle, last].filter((part) => part !== '')
  if (parts.length > 1 && parts.every((part) => eastAsian.test(part))) return last + middle + first
  return parts.join(' ')
}

const eastAsian = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}ー々〇·・]+$/u
