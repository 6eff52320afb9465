import type { Config } from '../../kernel/config/index.ts'
import { route, type Route } from '../../kernel/http/index.ts'
import { keyPosture, type OpenedVault } from '../../kernel/vault/index.ts'
import { kit, status } from './keys.contract.ts'
import { writeKit } from './keys.service.ts'

export interface KeysDeps {
  config: Config
  vault: OpenedVault
}

/** The custodian that opens the instance at start; the printed kit is only for recovery. */
const openingCustodian = (custodians: readonly string[]): string => custodians.find((c) => c !== 'recovery-kit') ?? 'recovery-kit'

export function keysRoutes({ config, vault }: KeysDeps): readonly Route[] {
  return [
    route(status, async (desk) => {
      const { custodians, purposes, subjectKeys } = vault.status()
      desk.record({ action: 'keys.read' })
      return { body: { custodian: openingCustodian(custodians), custodians, purposes, subjectKeys, posture: keyPosture(config, vault.instanceId, custodians) } }
    }),
    route(kit, async (desk, { body }) => {
      await writeKit(vault, config.home, body.file)
      desk.record({ action: 'recovery-kit.made' })
      return { body: { file: body.file } }
    }),
  ]
}
