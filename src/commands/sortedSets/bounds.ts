/**
 * How requests name a part of a sorted set, by rank, by score or by member, and the ranks that part has.
 */
import { parseDoubleLoosely } from "../../bytes/Numbers.ts"
import type { Args } from "../../command/Args.ts"
import { InvalidRange } from "../../errors/SortedSetErrors.ts"
import type { LexBound, LexRange, Ranks, ScoreRange } from "../../store/SortedSet.ts"

const openParenthesis = "("

const scoreBound = (word: string): { readonly score: number; readonly exclusive: boolean } => {
  const exclusive = word[0] === openParenthesis
  const score = parseDoubleLoosely(exclusive ? word.slice(1) : word)
  if (score === undefined || score !== score) throw InvalidRange.score
  return { score, exclusive }
}

/** `(1.5`, `-inf`. */
export const scoreRange = (lower: string, upper: string): ScoreRange => {
  const min = scoreBound(lower)
  const max = scoreBound(upper)
  return { min: min.score, max: max.score, minExclusive: min.exclusive, maxExclusive: max.exclusive }
}

const least: LexBound = { member: undefined, side: "least", exclusive: false }
const greatest: LexBound = { member: undefined, side: "greatest", exclusive: false }

const lexBound = (word: string): LexBound => {
  if (word === "-") return least
  if (word === "+") return greatest
  if (word[0] === openParenthesis) return { member: word.slice(1), side: "least", exclusive: true }
  if (word[0] === "[") return { member: word.slice(1), side: "least", exclusive: false }
  throw InvalidRange.member
}

/** `[a`, `(a`, `-`, `+`. */
export const lexRange = (lower: string, upper: string): LexRange => ({ min: lexBound(lower), max: lexBound(upper) })

export interface Indexes {
  readonly first: number
  readonly last: number
}

export const indexes = (args: Args): Indexes => ({ first: args.int(), last: args.int() })

/** The ranks from `first` to `last`, both included, negative ones counted from the end. */
export const ranksOfIndexes = ({ first, last }: Indexes, size: number): Ranks => {
  const start = Math.max(0, first < 0 ? first + size : first)
  const end = Math.min(size, (last < 0 ? last + size : last) + 1)
  return { start, end: Math.max(start, end) }
}
