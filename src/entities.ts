import type { Entity } from './kernel/entity/index.ts'
import { Activity } from './modules/activities/activities.entity.ts'
import { Tag } from './modules/tags/tags.entity.ts'
import { Attachment } from './modules/attachments/attachments.entity.ts'
import { Company } from './modules/companies/companies.entity.ts'
import { Contact } from './modules/contacts/contacts.entity.ts'
import { Contract } from './modules/contracts/contracts.entity.ts'
import { Rate } from './modules/currencies/currencies.entity.ts'
import { Deal } from './modules/deals/deals.entity.ts'
import { Lead } from './modules/leads/leads.entity.ts'
import { Pipeline } from './modules/pipelines/pipelines.entity.ts'
import { Pool } from './modules/pools/pools.entity.ts'
import { ScoreRule } from './modules/score-rules/score-rules.entity.ts'

/** The nouns. A new one is added here and is under search, audit, export and the matrix from then on. By themselves, because threads that fill the lens need no more of the product. */
export const ENTITIES: readonly Entity[] = [Company, Contact, Lead, ScoreRule, Pool, Pipeline, Rate, Deal, Contract, Activity, Attachment, Tag]
