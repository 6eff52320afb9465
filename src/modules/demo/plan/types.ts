/** A later change of a record, as a person would have made it. */
export interface Move {
  /** Unix ms. */
  at: number
  patch: Readonly<Record<string, unknown>>
}

/** A record to come: what its owner would have typed in, and when. */
export interface Planned {
  noun: string
  id: string
  /** When it was made, Unix ms. */
  at: number
  ownerId: string
  /** As the API takes it. */
  input: Readonly<Record<string, unknown>>
  moves: readonly Move[]
  /** Fields that no API takes, because a deed of the product fills them (a lead's conversion), or would tell somebody of (a task that is given). */
  filled?: Readonly<Record<string, unknown>>
}

export interface PlannedDepartment {
  id: string
  name: string
  /** Null: right under the organisation. */
  parentId: string | null
}

export type Tongue = 'zh' | 'en'

export interface PlannedColleague {
  id: string
  name: string
  email: string
  role: 'rep' | 'manager' | 'analyst' | 'administrator'
  departmentId: string
  tongue: Tongue
}

/** Who has customers of their own. */
export interface Seller {
  id: string
  tongue: Tongue
}

export interface Firm {
  id: string
  at: number
  tongue: Tongue
  name: string
  city: string
  owner: Seller
}

export interface Person {
  id: string
  at: number
  firm: Firm
}

export type Outcome = 'open' | 'won' | 'lost'

export interface Sale {
  id: string
  at: number
  firm: Firm
  person: Person | null
  outcome: Outcome
  /** When it was won or lost; null while it is open. */
  closedAt: number | null
  /** Minor units. */
  minor: number
  currency: string
}
