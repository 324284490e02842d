/**
 * Several sets become one: union, intersection and difference, answered or stored. Plain sets take part as sorted sets in
 * which every score is 1.
 *
 * The idea to hold: the order in which scores are added decides the last digit of a sum, so unions and intersections go
 * through their inputs from the smallest to the largest, as Redis does.
 */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { SyntaxError, WrongType } from "../../errors/CommandError.ts"
import { InvalidCount } from "../../errors/SortedSetErrors.ts"
import { EventClass } from "../../store/Events.ts"
import { SetValue } from "../../store/SetValue.ts"
import { SortedSet } from "../../store/SortedSet.ts"
import { Entries } from "./replies.ts"
import { storeResult } from "./storing.ts"

type Operation = "union" | "inter" | "diff"

type Aggregate = (left: number, right: number) => number

const sum: Aggregate = (left, right) => {
  const total = left + right
  // Infinity minus infinity counts as zero here.
  return total === total ? total : 0
}
const min: Aggregate = (left, right) => (right < left ? right : left)
const max: Aggregate = (left, right) => (right > left ? right : left)

interface Source {
  readonly value: SortedSet | SetValue | undefined
  readonly size: number
  readonly weight: number
}

interface Combination {
  readonly sources: ReadonlyArray<Source>
  readonly aggregate: Aggregate
  readonly withScores: boolean
  /** ZINTERCARD's: 0 is no limit. */
  readonly limit: number
}

interface Form {
  readonly operation: Operation
  readonly name: string
  readonly answers: "members" | "size" | "stored"
}

const sourceOf = (key: string, { db }: Command.Ctx): Source => {
  const value = db.read(key)
  if (value === undefined) return { value, size: 0, weight: 1 }
  if (!(value instanceof SortedSet || value instanceof SetValue)) throw WrongType.error
  return { value, size: value.size, weight: 1 }
}

const parseAggregate = (args: Args): Aggregate =>
  args.option("SUM") ? sum : args.option("MIN") ? min : args.option("MAX") ? max : args.fail(SyntaxError.error)

/** Types are checked before the options are read, as Redis does. */
const parse = (args: Args, { operation, name, answers }: Form, ctx: Command.Ctx): Combination => {
  const keys = args.counted(InvalidCount.inputKeys(name))
  let sources = keys.map((key) => sourceOf(key, ctx))
  let aggregate = sum
  let withScores = false
  let limit = 0
  const combines = operation !== "diff" && answers !== "size"
  while (args.more) {
    if (combines && args.optionWith("WEIGHTS", keys.length)) {
      sources = sources.map((source) => ({ ...source, weight: args.float(InvalidCount.weight) }))
    } else if (combines && args.optionWith("AGGREGATE", 1)) aggregate = parseAggregate(args)
    else if (answers === "members" && args.option("WITHSCORES")) withScores = true
    else if (answers === "size" && args.optionWith("LIMIT", 1)) {
      limit = args.intIn(0, Number.MAX_SAFE_INTEGER, InvalidCount.limit, InvalidCount.limit)
    } else args.fail(SyntaxError.error)
  }
  return { sources, aggregate, withScores, limit }
}

/** The score of `member` in `source`, or absent. */
const scoreIn = ({ value }: Source, member: string): number | undefined =>
  value instanceof SortedSet ? value.score(member) : value?.has(member) === true ? 1 : undefined

const forEachIn = ({ value }: Source, visitor: (member: string, score: number) => void): void => {
  if (value instanceof SortedSet) value.forEach(visitor)
  else value?.scan(0, value.size, (member) => visitor(member, 1))
}

const weighted = (score: number, weight: number): number => {
  const product = score * weight
  return product === product ? product : 0
}

const bySize = (sources: ReadonlyArray<Source>): Array<Source> => [...sources].sort((a, b) => a.size - b.size)

type Scores = Map<string, number>

const union = ({ sources, aggregate }: Combination): Scores => {
  const result: Scores = new Map()
  for (const source of bySize(sources)) {
    forEachIn(source, (member, score) => {
      const value = weighted(score, source.weight)
      const old = result.get(member)
      result.set(member, old === undefined ? value : aggregate(old, value))
    })
  }
  return result
}

const inter = ({ sources, aggregate }: Combination): Scores => {
  const result: Scores = new Map()
  const [smallest, ...others] = bySize(sources)
  forEachIn(smallest!, (member, score) => {
    let value = weighted(score, smallest!.weight)
    for (const other of others) {
      const found = scoreIn(other, member)
      if (found === undefined) return
      value = aggregate(value, found * other.weight)
    }
    result.set(member, value)
  })
  return result
}

const diff = ({ sources }: Combination): Scores => {
  const result: Scores = new Map()
  const [first, ...others] = sources
  forEachIn(first!, (member, score) => {
    if (others.every((other) => scoreIn(other, member) === undefined)) result.set(member, score)
  })
  return result
}

const combine: Record<Operation, (combination: Combination) => Scores> = { union, inter, diff }

const answer = (operation: Operation, combination: Combination, { client }: Command.Ctx) => {
  const scores = combine[operation](combination)
  const entries = new Entries(client, combination.withScores)
  const sorted = [...scores].sort(([a, x], [b, y]) => (x < y ? -1 : x > y ? 1 : a < b ? -1 : 1))
  for (const [member, score] of sorted) entries.add(member, score)
  return Either.right(entries.reply)
}

const store = (operation: Operation, destination: string, combination: Combination, { db, limits }: Command.Ctx) => {
  const scores = combine[operation](combination)
  let longest = 0
  for (const member of scores.keys()) longest = Math.max(longest, member.length)
  const result = SortedSet.expecting(scores.size, longest, limits)
  for (const [member, score] of scores) result.put(member, score, limits)
  return Either.right(storeResult(db, destination, result, EventClass.sortedSet, `z${operation}store`))
}

const zunion = Command.make({
  name: "zunion",
  summary: "Add multiple sorted sets",
  since: "6.2.0",
  group: "sorted-set",
  complexity:
    "O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set.",
  arity: -3,
  flags: "readonly",
  acl: "sortedset",
  keys: [Key.counted(1, "RO access")],
  args: [
    Arg.integer("numkeys"),
    Arg.key("key", { multiple: true }),
    Arg.integer("weight", { token: "WEIGHTS", optional: true, multiple: true }),
    Arg.oneOf("aggregate", [Arg.token("SUM"), Arg.token("MIN"), Arg.token("MAX")], {
      token: "AGGREGATE",
      optional: true,
    }),
    Arg.token("WITHSCORES", { optional: true }),
  ],
  parse: (args, ctx) => parse(args, { operation: "union", name: "zunion", answers: "members" }, ctx),
  run: (combination, ctx) => answer("union", combination, ctx),
})

const zinter = Command.make({
  name: "zinter",
  summary: "Intersect multiple sorted sets",
  since: "6.2.0",
  group: "sorted-set",
  complexity:
    "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set.",
  arity: -3,
  flags: "readonly",
  acl: "sortedset",
  keys: [Key.counted(1, "RO access")],
  args: [
    Arg.integer("numkeys"),
    Arg.key("key", { multiple: true }),
    Arg.integer("weight", { token: "WEIGHTS", optional: true, multiple: true }),
    Arg.oneOf("aggregate", [Arg.token("SUM"), Arg.token("MIN"), Arg.token("MAX")], {
      token: "AGGREGATE",
      optional: true,
    }),
    Arg.token("WITHSCORES", { optional: true }),
  ],
  parse: (args, ctx) => parse(args, { operation: "inter", name: "zinter", answers: "members" }, ctx),
  run: (combination, ctx) => answer("inter", combination, ctx),
})

const zdiff = Command.make({
  name: "zdiff",
  summary: "Subtract multiple sorted sets",
  since: "6.2.0",
  group: "sorted-set",
  complexity:
    "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set.",
  arity: -3,
  flags: "readonly",
  acl: "sortedset",
  keys: [Key.counted(1, "RO access")],
  args: [Arg.integer("numkeys"), Arg.key("key", { multiple: true }), Arg.token("WITHSCORES", { optional: true })],
  parse: (args, ctx) => parse(args, { operation: "diff", name: "zdiff", answers: "members" }, ctx),
  run: (combination, ctx) => answer("diff", combination, ctx),
})

const zunionstore = Command.make({
  name: "zunionstore",
  summary: "Add multiple sorted sets and store the resulting sorted set in a new key",
  since: "2.0.0",
  group: "sorted-set",
  complexity:
    "O(N)+O(M log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set.",
  arity: -4,
  flags: "write denyoom",
  acl: "sortedset",
  keys: [Key.at(1, "OW update"), Key.counted(2, "RO access")],
  args: [
    Arg.key("destination"),
    Arg.integer("numkeys"),
    Arg.key("key", { multiple: true, keySpec: 1 }),
    Arg.integer("weight", { token: "WEIGHTS", optional: true, multiple: true }),
    Arg.oneOf("aggregate", [Arg.token("SUM"), Arg.token("MIN"), Arg.token("MAX")], {
      token: "AGGREGATE",
      optional: true,
    }),
  ],
  parse: (args, ctx) => ({
    destination: args.key(),
    combination: parse(args, { operation: "union", name: "zunionstore", answers: "stored" }, ctx),
  }),
  run: ({ destination, combination }, ctx) => store("union", destination, combination, ctx),
})

const zinterstore = Command.make({
  name: "zinterstore",
  summary: "Intersect multiple sorted sets and store the resulting sorted set in a new key",
  since: "2.0.0",
  group: "sorted-set",
  complexity:
    "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set.",
  arity: -4,
  flags: "write denyoom",
  acl: "sortedset",
  keys: [Key.at(1, "OW update"), Key.counted(2, "RO access")],
  args: [
    Arg.key("destination"),
    Arg.integer("numkeys"),
    Arg.key("key", { multiple: true, keySpec: 1 }),
    Arg.integer("weight", { token: "WEIGHTS", optional: true, multiple: true }),
    Arg.oneOf("aggregate", [Arg.token("SUM"), Arg.token("MIN"), Arg.token("MAX")], {
      token: "AGGREGATE",
      optional: true,
    }),
  ],
  parse: (args, ctx) => ({
    destination: args.key(),
    combination: parse(args, { operation: "inter", name: "zinterstore", answers: "stored" }, ctx),
  }),
  run: ({ destination, combination }, ctx) => store("inter", destination, combination, ctx),
})

const zdiffstore = Command.make({
  name: "zdiffstore",
  summary: "Subtract multiple sorted sets and store the resulting sorted set in a new key",
  since: "6.2.0",
  group: "sorted-set",
  complexity:
    "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set.",
  arity: -4,
  flags: "write denyoom",
  acl: "sortedset",
  keys: [Key.at(1, "OW update"), Key.counted(2, "RO access")],
  args: [Arg.key("destination"), Arg.integer("numkeys"), Arg.key("key", { multiple: true, keySpec: 1 })],
  parse: (args, ctx) => ({
    destination: args.key(),
    combination: parse(args, { operation: "diff", name: "zdiffstore", answers: "stored" }, ctx),
  }),
  run: ({ destination, combination }, ctx) => store("diff", destination, combination, ctx),
})

const zintercard = Command.make({
  name: "zintercard",
  summary: "Intersect multiple sorted sets and return the cardinality of the result",
  since: "7.0.0",
  group: "sorted-set",
  complexity: "O(N*K) worst case with N being the smallest input sorted set, K being the number of input sorted sets.",
  arity: -3,
  flags: "readonly",
  acl: "sortedset",
  keys: [Key.counted(1, "RO access")],
  args: [
    Arg.integer("numkeys"),
    Arg.key("key", { multiple: true }),
    Arg.integer("limit", { token: "LIMIT", optional: true }),
  ],
  parse: (args, ctx) => parse(args, { operation: "inter", name: "zintercard", answers: "size" }, ctx),
  run: ({ sources, limit }) => {
    const [smallest, ...others] = bySize(sources)
    let count = 0
    forEachIn(smallest!, (member) => {
      if (limit > 0 && count === limit) return
      if (others.every((other) => scoreIn(other, member) !== undefined)) count++
    })
    return Either.right(Reply.int(count))
  },
})

export const combineCommands = [zunion, zinter, zdiff, zunionstore, zinterstore, zdiffstore, zintercard]
