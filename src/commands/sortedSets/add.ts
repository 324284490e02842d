/**
 * Members come and scores change: ZADD with all its options, and ZINCRBY, which is ZADD INCR under an older name.
 */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import { nil, wrongType, zero } from "../../command/Answers.ts"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { type CommandError, SyntaxError } from "../../errors/CommandError.ts"
import { IncompatibleOptions, ScoreNotNumber } from "../../errors/SortedSetErrors.ts"
import { EventClass } from "../../store/Events.ts"
import { SortedSet } from "../../store/SortedSet.ts"

/** When a member is touched at all, as bits. */
export const When = {
  absent: 1,
  present: 2,
  greater: 4,
  less: 8,
} as const

export interface Additions {
  readonly key: string
  /** Bits of `When`; 0: always. */
  readonly when: number
  /** Answer the members changed, not only those added. */
  readonly countChanged: boolean
  /** Add to the score, and answer it. */
  readonly increment: boolean
  readonly scores: ReadonlyArray<number>
  readonly members: ReadonlyArray<string>
}

/** The score that `member` gets, or absent when the options leave it alone. Not a number: the increment has no sum. */
const nextScore = (old: number | undefined, score: number, { when, increment }: Additions): number | undefined => {
  if (old === undefined) return when & When.present ? undefined : score
  if (when & When.absent) return undefined
  const next = increment ? old + score : score
  if (when & When.greater && next <= old) return undefined
  if (when & When.less && next >= old) return undefined
  return next
}

/** ZADD once its arguments are read: also what GEOADD does with its places. */
export const add = (additions: Additions, ctx: Command.Ctx): Either.Either<Reply.Reply, CommandError> => {
  const { key, when, countChanged, increment, scores, members } = additions
  const { db, limits } = ctx
  const found = db.write(key)
  if (found !== undefined && !(found instanceof SortedSet)) return wrongType
  if (found === undefined && when & When.present) return increment ? nil : zero
  const set = found ?? new SortedSet()
  let added = 0
  let updated = 0
  let answer = Reply.nil
  for (let i = 0; i < members.length; i++) {
    const member = members[i]!
    let score = scores[i]!
    if (when !== 0 || increment) {
      const next = nextScore(set.score(member), score, additions)
      if (next === undefined) continue
      if (next !== next) return Either.left(ScoreNotNumber.error)
      score = next
      if (increment) answer = Reply.double(score)
    }
    const outcome = set.put(member, score, limits)
    if (outcome === "added") added++
    else if (outcome === "updated") updated++
  }
  if (found === undefined) db.put(key, set)
  if (added + updated > 0) db.changed(key, EventClass.sortedSet, increment ? "zincr" : "zadd", added + updated)
  return Either.right(increment ? answer : Reply.int(countChanged ? added + updated : added))
}

/** NX, XX, GT, LT, CH and INCR in any order; what follows is not an option. */
export const parseOptions = (args: Args): { when: number; countChanged: boolean; increment: boolean } => {
  const options = { when: 0, countChanged: false, increment: false }
  while (args.more) {
    if (args.option("NX")) options.when |= When.absent
    else if (args.option("XX")) options.when |= When.present
    else if (args.option("CH")) options.countChanged = true
    else if (args.option("INCR")) options.increment = true
    else if (args.option("GT")) options.when |= When.greater
    else if (args.option("LT")) options.when |= When.less
    else break
  }
  return options
}

const checkOptions = (args: Args, when: number): void => {
  if (when & When.absent && when & When.present) args.fail(IncompatibleOptions.existence)
  const comparisons = when & (When.absent | When.greater | When.less)
  // At most one of the three may be set: clearing the lowest bit leaves nothing.
  if ((comparisons & (comparisons - 1)) !== 0) args.fail(IncompatibleOptions.comparison)
}

const zadd = Command.make({
  name: "zadd",
  summary: "Add one or more members to a sorted set, or update its score if it already exists",
  since: "1.2.0",
  group: "sorted-set",
  complexity: "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
  history: [
    ["2.4.0", "Accepts multiple elements."],
    ["3.0.2", "Added the `XX`, `NX`, `CH` and `INCR` options."],
    ["6.2.0", "Added the `GT` and `LT` options."],
  ],
  arity: -4,
  flags: "write denyoom fast",
  acl: "sortedset",
  keys: [Key.at(1, "RW update")],
  args: [
    Arg.key("key"),
    Arg.oneOf("condition", [Arg.token("NX"), Arg.token("XX")], { optional: true, since: "3.0.2" }),
    Arg.oneOf("comparison", [Arg.token("GT"), Arg.token("LT")], { optional: true, since: "6.2.0" }),
    Arg.token("CH", { name: "change", optional: true, since: "3.0.2" }),
    Arg.token("INCR", { name: "increment", optional: true, since: "3.0.2" }),
    Arg.block("score_member", [Arg.double("score"), Arg.string("member")], { multiple: true }),
  ],
  parse: (args): Additions => {
    const key = args.key()
    const options = parseOptions(args)
    if (args.left === 0 || args.left % 2 !== 0) args.fail(SyntaxError.error)
    checkOptions(args, options.when)
    if (options.increment && args.left > 2) args.fail(IncompatibleOptions.increment)
    const scores: Array<number> = []
    const members: Array<string> = []
    while (args.more) {
      scores.push(args.float())
      members.push(args.next())
    }
    const { when, countChanged, increment } = options
    return { key, when, countChanged, increment, scores, members }
  },
  run: add,
})

const zincrby = Command.make({
  name: "zincrby",
  summary: "Increment the score of a member in a sorted set",
  since: "1.2.0",
  group: "sorted-set",
  complexity: "O(log(N)) where N is the number of elements in the sorted set.",
  arity: 4,
  flags: "write denyoom fast",
  acl: "sortedset",
  keys: [Key.at(1, "RW access update")],
  args: [Arg.key("key"), Arg.integer("increment"), Arg.string("member")],
  parse: (args): Additions => ({
    key: args.key(),
    when: 0,
    countChanged: false,
    increment: true,
    scores: [args.float()],
    members: [args.next()],
  }),
  run: add,
})

export const addCommands = [zadd, zincrby]
