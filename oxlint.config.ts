import { defineConfig } from 'oxlint'

/** The kernel's rooms, in order: each may import only those before it. */
const rooms = ['base', 'config', 'log', 'entity', 'vault', 'tls', 'db', 'ledger', 'lens', 'jobs', 'work', 'http']
/** Modules that serve every slice get the registry of entities from app.ts and must not know one slice from another. */
const crossCutting = ['trail', 'keys', 'doctor', 'system', 'exports', 'demo', 'bulk', 'backups', 'privacy', 'watch']
const slices = ['contacts', 'companies', 'leads', 'pipelines', 'currencies', 'deals', 'contracts', 'activities', 'attachments', 'tags']

type Wall = { message: string } & ({ regex: string } | { group: string[] })

const noProduct: Wall = { regex: '(^|/)(modules|cli|web)/|/(app|main)\\.ts$', message: 'The kernel knows nothing of the product.' }
const noTests: Wall = { regex: '(^|/)(test|bench)/', message: 'The product does not import its tests.' }
const frontDoor: Wall = { group: ['../*/*', '!../*/index.ts'], message: 'Another module only through its index.ts.' }

function walls(...list: Wall[]): Record<string, unknown> {
  return { 'no-restricted-imports': ['error', { patterns: list }] }
}

const kernel = rooms.map((room, i) => {
  const later = rooms.slice(i + 1)
  const order: Wall[] = later.length > 0 ? [{ regex: `^(\\.\\./)+(kernel/)?(${later.join('|')})/`, message: `${room} may import only ${rooms.slice(0, i).join(', ') || 'nothing'}.` }] : []
  return { files: [`src/kernel/${room}/**`], rules: walls(noProduct, noTests, ...order) }
})

/** Which rooms of a module a file may not reach, by its own suffix. */
const arrows: Record<string, string[]> = {
  entity: ['contract', 'policy', 'store', 'service', 'routes', 'jobs'],
  contract: ['policy', 'store', 'service', 'routes', 'jobs'],
  policy: ['store', 'service', 'routes', 'jobs'],
  store: ['policy', 'service', 'routes', 'jobs'],
  service: ['routes'],
  routes: ['store'],
}

const modules = Object.entries(arrows).map(([suffix, barred]) => ({
  files: [`src/modules/**/*.${suffix}.ts`],
  rules: walls(noTests, { regex: `\\.(${barred.join('|')})\\.ts$`, message: `${suffix} does not reach ${barred.join(', ')}.` }, frontDoor),
}))
const serving = crossCutting.map((name) => ({
  files: [`src/modules/${name}/**`],
  rules: walls(noTests, { regex: `^(\\.\\./)+(modules/)?(${slices.join('|')})/`, message: `${name} serves every slice and imports none.` }, frontDoor),
}))

export default defineConfig({
  plugins: ['typescript', 'import', 'unicorn', 'oxc'],
  categories: { correctness: 'error' },
  rules: {
    'import/no-cycle': 'error',
    'typescript/no-explicit-any': 'error',
    'no-console': 'error',
    // Control characters are exactly what input must be cleaned of.
    'no-control-regex': 'off',
    'unicorn/no-useless-spread': 'off',
    eqeqeq: ['error', 'always', { null: 'ignore' }],
    'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
    'max-lines-per-function': ['error', { max: 40, skipBlankLines: true, skipComments: true }],
  },
  ignorePatterns: ['node_modules', 'data', 'test-results', 'test/data'],
  overrides: [
    ...kernel,
    { files: ['src/modules/**'], rules: walls(noTests, frontDoor) },
    ...modules,
    ...serving,
    { files: ['src/kernel/module.ts'], rules: walls(noProduct, noTests) },
    {
      files: ['**/*.test.ts', 'test/**', 'bench/**'],
      rules: { 'no-restricted-imports': 'off', 'no-console': 'off', 'max-lines-per-function': 'off', 'max-lines': ['error', { max: 500 }] },
    },
  ],
})
