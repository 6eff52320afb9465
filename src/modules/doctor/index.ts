import { z } from 'zod'
import { endpoint, route } from '../../kernel/http/index.ts'
import type { Module } from '../../kernel/module.ts'
import { examineInside, examineOutside, type Patient } from './examine.ts'

export { examineInside, examineOutside, findingOf, type Patient } from './examine.ts'

const finding = z.object({ code: z.string(), level: z.enum(['red', 'amber', 'info']), what: z.string(), fix: z.string() })

const contract = endpoint({
  method: 'POST',
  path: '/doctor',
  permission: 'keys:read',
  summary: 'Examines the running instance; deep also opens every row and compares it with the ledger',
  body: z.strictObject({ deep: z.boolean().default(false) }),
  response: z.object({ ok: z.boolean(), findings: z.array(finding) }),
})

/** The command `doctor` of a running instance: who holds the home's lock is the only one who may look inside. */
export function doctorModule(patient: Patient): Module {
  return {
    name: 'doctor',
    routes: [
      route(contract, async (desk, { body }) => {
        desk.record({ action: 'instance.examined', detail: { deep: body.deep } })
        const findings = [...examineOutside(patient.config), ...(await examineInside(patient, { deep: body.deep }))]
        return { body: { ok: !findings.some((f) => f.level === 'red'), findings } }
      }),
    ],
  }
}
