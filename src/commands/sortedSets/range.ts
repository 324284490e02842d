/**
 * Members in order: ZRANGE and the six older commands that are forms of it, and ZRANGESTORE.
 *
 * The idea to hold: all of them read the same grammar with some choices made ahead, find the ranks of what was asked for,
 * and walk them.
 */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { type CommandError, NotInteger, SyntaxError } from "../../errors/CommandError.ts"
import { IncompatibleOptions } from "../../errors/SortedSetErrors.ts"
import { EventClass } from "../../store/Events.ts"
import { type LexRange, type Ranks, type ScoreRange, SortedSet } from "../../store/SortedSet.ts"
import { parseSafeInteger } from "../../bytes/Numbers.ts"
import { type Indexes, lexRange, ranksOfIndexes, scoreRange } from "./bounds.ts"
import { entriesOf } from "./replies.ts"
import { storeResult } from "./storing.ts"

type By = "rank" | "score" | "lex"

interface Form {
  /** What the command's name already says; absent: options say it. */
  readonly by?: By
  readonly reverse?: boolean
  /** Stores, so that the scores are not a choice. */
  readonly stores?: boolean
}

type Part =
  | { readonly by: "rank"; readonly indexes: Indexes }
  | { readonly by: "score"; readonly scores: ScoreRange }
  | { readonly by: "lex"; readonly members: LexRange }

interface Selection {
  readonly key: string
  readonly part: Part
  readonly reverse: boolean
  readonly withScores: boolean
  readonly offset: number
  /** Negative: all. */
  readonly count: number
}

const index = (word: string): number => {
  const value = parseSafeInteger(word)
  if (value === undefined) throw NotInteger.error
  return value
}

const parse = (args: Args, form: Form): Selection => {
  const key = args.key()
  const first = args.next()
  const second = args.next()
  let by = form.by
  let reverse = form.reverse
  let withScores = false
  let offset = 0
  let count = -1
  while (args.more) {
    if (form.stores !== true && args.option("WITHSCORES")) withScores = true
    else if (args.optionWith("LIMIT", 2)) {
      offset = args.int()
      count = args.int()
    } else if (reverse === undefined && args.option("REV")) reverse = true
    else if (by === undefined && args.option("BYLEX")) by = "lex"
    else if (by === undefined && args.option("BYSCORE")) by = "score"
    else args.fail(SyntaxError.error)
  }
  reverse ??= false
  by ??= "rank"
  if (count !== -1 && by === "rank") args.fail(IncompatibleOptions.limit)
  if (withScores && by === "lex") args.fail(IncompatibleOptions.withScores)
  const lower = reverse ? second : first
  const upper = reverse ? first : second
  const part: Part =
    by === "rank"
      ? { by, indexes: { first: index(first), last: index(second) } }
      : by === "score"
        ? { by, scores: scoreRange(lower, upper) }
        : { by, members: lexRange(lower, upper) }
  return { key, part, reverse, withScores, offset, count }
}

/** Where a walk begins and how many members it has. */
interface Walk {
  readonly rank: number
  readonly count: number
}

const noWalk: Walk = { rank: 0, count: 0 }

const limited = ({ start, end }: Ranks, { reverse, offset, count }: Selection): Walk => {
  const size = end - start
  if (size <= 0 || offset < 0 || offset >= size) return noWalk
  const wanted = count < 0 ? size - offset : Math.min(count, size - offset)
  return { rank: reverse ? end - 1 - offset : start + offset, count: wanted }
}

const walkOf = (set: SortedSet, selection: Selection): Walk => {
  const { part, reverse } = selection
  if (part.by === "rank") {
    // LIMIT 0 -1 is let through for ranks, and says nothing.
    const { start, end } = ranksOfIndexes(part.indexes, set.size)
    return { rank: reverse ? set.size - 1 - start : start, count: end - start }
  }
  const ranks = part.by === "score" ? set.ranksOfScores(part.scores) : set.ranksOfMembers(part.members, reverse)
  return limited(ranks, selection)
}

const answer = (selection: Selection, { db, client }: Command.Ctx): Either.Either<Reply.Reply, CommandError> =>
  Either.map(db.readAs(selection.key, SortedSet), (set) => {
    if (set === undefined) return Reply.emptyArray
    const { rank, count } = walkOf(set, selection)
    return entriesOf(set, rank, count, selection.reverse, selection.withScores, client)
  })

const zrange = Command.make({
  name: "zrange",
  summary: "Return a range of members in a sorted set",
  since: "1.2.0",
  group: "sorted-set",
  complexity:
    "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned.",
  history: [["6.2.0", "Added the `REV`, `BYSCORE`, `BYLEX` and `LIMIT` options."]],
  arity: -4,
  flags: "readonly",
  acl: "sortedset",
  keys: [Key.at(1, "RO access")],
  args: [
    Arg.key("key"),
    Arg.string("start"),
    Arg.string("stop"),
    Arg.oneOf("sortby", [Arg.token("BYSCORE"), Arg.token("BYLEX")], { optional: true, since: "6.2.0" }),
    Arg.token("REV", { optional: true, since: "6.2.0" }),
    Arg.block("offset_count", [Arg.integer("offset"), Arg.integer("count")], {
      token: "LIMIT",
      optional: true,
      since: "6.2.0",
    }),
    Arg.token("WITHSCORES", { optional: true }),
  ],
  parse: (args) => parse(args, {}),
  run: answer,
})

const zrangestore = Command.make({
  name: "zrangestore",
  summary: "Store a range of members from sorted set into another key",
  since: "6.2.0",
  group: "sorted-set",
  complexity:
    "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements stored into the destination key.",
  arity: -5,
  flags: "write denyoom",
  acl: "sortedset",
  keys: [Key.at(1, "OW update"), Key.at(2, "RO access")],
  args: [
    Arg.key("dst"),
    Arg.key("src", { keySpec: 1 }),
    Arg.string("min"),
    Arg.string("max"),
    Arg.oneOf("sortby", [Arg.token("BYSCORE"), Arg.token("BYLEX")], { optional: true }),
    Arg.token("REV", { optional: true }),
    Arg.block("offset_count", [Arg.integer("offset"), Arg.integer("count")], { token: "LIMIT", optional: true }),
  ],
  parse: (args) => ({ destination: args.key(), selection: parse(args, { stores: true }) }),
  run: ({ destination, selection }, ctx) =>
    Either.map(ctx.db.readAs(selection.key, SortedSet), (set) => {
      const { rank, count } = set === undefined ? noWalk : walkOf(set, selection)
      // Only a range of ranks is known by its length before it is walked.
      const result = SortedSet.expecting(selection.part.by === "rank" ? count : 0, 0, ctx.limits)
      set?.visit(rank, count, selection.reverse, (member, score) => result.put(member, score, ctx.limits))
      return storeResult(ctx.db, destination, result, EventClass.sortedSet, "zrangestore")
    }),
})

const zrevrange = Command.make({
  name: "zrevrange",
  summary: "Return a range of members in a sorted set, by index, with scores ordered from high to low",
  since: "1.2.0",
  group: "sorted-set",
  complexity:
    "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned.",
  docFlags: "deprecated",
  deprecatedSince: "6.2.0",
  replacedBy: "`ZRANGE` with the `REV` argument",
  arity: -4,
  flags: "readonly",
  acl: "sortedset",
  keys: [Key.at(1, "RO access")],
  args: [Arg.key("key"), Arg.integer("start"), Arg.integer("stop"), Arg.token("WITHSCORES", { optional: true })],
  parse: (args) => parse(args, { by: "rank", reverse: true }),
  run: answer,
})

const zrangebyscore = Command.make({
  name: "zrangebyscore",
  summary: "Return a range of members in a sorted set, by score",
  since: "1.0.5",
  group: "sorted-set",
  complexity:
    "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
  history: [["2.0.0", "Added the `WITHSCORES` modifier."]],
  docFlags: "deprecated",
  deprecatedSince: "6.2.0",
  replacedBy: "`ZRANGE` with the `BYSCORE` argument",
  arity: -4,
  flags: "readonly",
  acl: "sortedset",
  keys: [Key.at(1, "RO access")],
  args: [
    Arg.key("key"),
    Arg.double("min"),
    Arg.double("max"),
    Arg.token("WITHSCORES", { optional: true, since: "2.0.0" }),
    Arg.block("offset_count", [Arg.integer("offset"), Arg.integer("count")], { token: "LIMIT", optional: true }),
  ],
  parse: (args) => parse(args, { by: "score", reverse: false }),
  run: answer,
})

const zrevrangebyscore = Command.make({
  name: "zrevrangebyscore",
  summary: "Return a range of members in a sorted set, by score, with scores ordered from high to low",
  since: "2.2.0",
  group: "sorted-set",
  complexity:
    "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
  history: [["2.1.6", "`min` and `max` can be exclusive."]],
  docFlags: "deprecated",
  deprecatedSince: "6.2.0",
  replacedBy: "`ZRANGE` with the `REV` and `BYSCORE` arguments",
  arity: -4,
  flags: "readonly",
  acl: "sortedset",
  keys: [Key.at(1, "RO access")],
  args: [
    Arg.key("key"),
    Arg.double("max"),
    Arg.double("min"),
    Arg.token("WITHSCORES", { optional: true }),
    Arg.block("offset_count", [Arg.integer("offset"), Arg.integer("count")], { token: "LIMIT", optional: true }),
  ],
  parse: (args) => parse(args, { by: "score", reverse: true }),
  run: answer,
})

const zrangebylex = Command.make({
  name: "zrangebylex",
  summary: "Return a range of members in a sorted set, by lexicographical range",
  since: "2.8.9",
  group: "sorted-set",
  complexity:
    "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
  docFlags: "deprecated",
  deprecatedSince: "6.2.0",
  replacedBy: "`ZRANGE` with the `BYLEX` argument",
  arity: -4,
  flags: "readonly",
  acl: "sortedset",
  keys: [Key.at(1, "RO access")],
  args: [
    Arg.key("key"),
    Arg.string("min"),
    Arg.string("max"),
    Arg.block("offset_count", [Arg.integer("offset"), Arg.integer("count")], { token: "LIMIT", optional: true }),
  ],
  parse: (args) => parse(args, { by: "lex", reverse: false }),
  run: answer,
})

const zrevrangebylex = Command.make({
  name: "zrevrangebylex",
  summary: "Return a range of members in a sorted set, by lexicographical range, ordered from higher to lower strings.",
  since: "2.8.9",
  group: "sorted-set",
  complexity:
    "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
  docFlags: "deprecated",
  deprecatedSince: "6.2.0",
  replacedBy: "`ZRANGE` with the `REV` and `BYLEX` arguments",
  arity: -4,
  flags: "readonly",
  acl: "sortedset",
  keys: [Key.at(1, "RO access")],
  args: [
    Arg.key("key"),
    Arg.string("max"),
    Arg.string("min"),
    Arg.block("offset_count", [Arg.integer("offset"), Arg.integer("count")], { token: "LIMIT", optional: true }),
  ],
  parse: (args) => parse(args, { by: "lex", reverse: true }),
  run: answer,
})

export const rangeCommands = [
  zrange,
  zrangestore,
  zrevrange,
  zrangebyscore,
  zrevrangebyscore,
  zrangebylex,
  zrevrangebylex,
]
