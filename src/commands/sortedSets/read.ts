/** Looking at single members: sizes, scores, ranks, members drawn by chance, and the scan over all. */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import { type Args, keyword } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { type CommandError, OutOfRange, SyntaxError, WrongArity } from "../../errors/CommandError.ts"
import { InvalidCount } from "../../errors/SortedSetErrors.ts"
import { SortedSet } from "../../store/SortedSet.ts"
import { lexRange, scoreRange } from "./bounds.ts"
import { Entries } from "./replies.ts"

const zcard = Command.make({
  name: "zcard",
  summary: "Get the number of members in a sorted set",
  since: "1.2.0",
  group: "sorted-set",
  complexity: "O(1)",
  arity: 2,
  flags: "readonly fast",
  acl: "sortedset",
  keys: [Key.at(1, "RO")],
  args: [Arg.key("key")],
  parse: (args) => args.key(),
  run: (key, { db }) => Either.map(db.readAs(key, SortedSet), (set) => Reply.int(set?.size ?? 0)),
})

const zcount = Command.make({
  name: "zcount",
  summary: "Count the members in a sorted set with scores within the given values",
  since: "2.0.0",
  group: "sorted-set",
  complexity: "O(log(N)) with N being the number of elements in the sorted set.",
  arity: 4,
  flags: "readonly fast",
  acl: "sortedset",
  keys: [Key.at(1, "RO access")],
  args: [Arg.key("key"), Arg.double("min"), Arg.double("max")],
  parse: (args) => ({ key: args.key(), range: scoreRange(args.next(), args.next()) }),
  run: ({ key, range }, { db }) =>
    Either.map(db.readAs(key, SortedSet), (set) => {
      if (set === undefined) return Reply.zero
      const { start, end } = set.ranksOfScores(range)
      return Reply.int(Math.max(0, end - start))
    }),
})

const zlexcount = Command.make({
  name: "zlexcount",
  summary: "Count the number of members in a sorted set between a given lexicographical range",
  since: "2.8.9",
  group: "sorted-set",
  complexity: "O(log(N)) with N being the number of elements in the sorted set.",
  arity: 4,
  flags: "readonly fast",
  acl: "sortedset",
  keys: [Key.at(1, "RO access")],
  args: [Arg.key("key"), Arg.string("min"), Arg.string("max")],
  parse: (args) => ({ key: args.key(), range: lexRange(args.next(), args.next()) }),
  run: ({ key, range }, { db }) =>
    Either.map(db.readAs(key, SortedSet), (set) => {
      if (set === undefined) return Reply.zero
      const { start, end } = set.ranksOfMembers(range)
      return Reply.int(Math.max(0, end - start))
    }),
})

const doubleOrNil = (score: number | undefined): Reply.Reply => (score === undefined ? Reply.nil : Reply.double(score))

const zscore = Command.make({
  name: "zscore",
  summary: "Get the score associated with the given member in a sorted set",
  since: "1.2.0",
  group: "sorted-set",
  complexity: "O(1)",
  arity: 3,
  flags: "readonly fast",
  acl: "sortedset",
  keys: [Key.at(1, "RO access")],
  args: [Arg.key("key"), Arg.string("member")],
  parse: (args) => ({ key: args.key(), member: args.next() }),
  run: ({ key, member }, { db }) => Either.map(db.readAs(key, SortedSet), (set) => doubleOrNil(set?.score(member))),
})

const zmscore = Command.make({
  name: "zmscore",
  summary: "Get the score associated with the given members in a sorted set",
  since: "6.2.0",
  group: "sorted-set",
  complexity: "O(N) where N is the number of members being requested.",
  arity: -3,
  flags: "readonly fast",
  acl: "sortedset",
  keys: [Key.at(1, "RO access")],
  args: [Arg.key("key"), Arg.string("member", { multiple: true })],
  parse: (args) => ({ key: args.key(), members: args.rest() }),
  run: ({ key, members }, { db }) =>
    Either.map(db.readAs(key, SortedSet), (set) =>
      Reply.array(members.map((member) => doubleOrNil(set?.score(member)))),
    ),
})

const parseRank = (command: string) => (args: Args) => {
  const key = args.key()
  const member = args.next()
  const withScore = args.more
  if (withScore) {
    const word = args.next()
    if (args.more) args.fail(WrongArity.of(command))
    if (keyword(word) !== "WITHSCORE") args.fail(SyntaxError.error)
  }
  return { key, member, withScore }
}

const answerRank = (
  { key, member, withScore }: ReturnType<ReturnType<typeof parseRank>>,
  reverse: boolean,
  { db }: Command.Ctx,
): Either.Either<Reply.Reply, CommandError> =>
  Either.map(db.readAs(key, SortedSet), (set) => {
    const found = set?.rank(member)
    if (set === undefined || found === undefined) return withScore ? Reply.nilArray : Reply.nil
    const rank = Reply.int(reverse ? set.size - 1 - found : found)
    return withScore ? Reply.array([rank, Reply.double(set.score(member)!)]) : rank
  })

const zrank = Command.make({
  name: "zrank",
  summary: "Determine the index of a member in a sorted set",
  since: "2.0.0",
  group: "sorted-set",
  complexity: "O(log(N))",
  history: [["7.2.0", "Added the optional `WITHSCORE` argument."]],
  // Differs: 3 in 7.0.15, which has no WITHSCORE.
  arity: -3,
  flags: "readonly fast",
  acl: "sortedset",
  keys: [Key.at(1, "RO access")],
  args: [Arg.key("key"), Arg.string("member"), Arg.token("WITHSCORE", { optional: true, since: "7.2.0" })],
  parse: parseRank("zrank"),
  run: (request, ctx) => answerRank(request, false, ctx),
})

const zrevrank = Command.make({
  name: "zrevrank",
  summary: "Determine the index of a member in a sorted set, with scores ordered from high to low",
  since: "2.0.0",
  group: "sorted-set",
  complexity: "O(log(N))",
  history: [["7.2.0", "Added the optional `WITHSCORE` argument."]],
  // Differs: 3 in 7.0.15, which has no WITHSCORE.
  arity: -3,
  flags: "readonly fast",
  acl: "sortedset",
  keys: [Key.at(1, "RO access")],
  args: [Arg.key("key"), Arg.string("member"), Arg.token("WITHSCORE", { optional: true, since: "7.2.0" })],
  parse: parseRank("zrevrank"),
  run: (request, ctx) => answerRank(request, true, ctx),
})

/** `count` different numbers below `size`, in no order. */
const distinct = (count: number, size: number, below: (bound: number) => number): Iterable<number> => {
  // Floyd's way: each step adds one number, without drawing again what was drawn before.
  const drawn = new Set<number>()
  for (let last = size - count; last < size; last++) {
    const rank = below(last + 1)
    drawn.add(drawn.has(rank) ? last : rank)
  }
  return drawn
}

/** Differs: redis-server tries to put together an answer of any length; more draws than these are refused here. */
const drawsMax = 4_000_000

const zrandmember = Command.make({
  name: "zrandmember",
  summary: "Get one or multiple random elements from a sorted set",
  since: "6.2.0",
  group: "sorted-set",
  complexity: "O(N) where N is the number of elements returned",
  arity: -2,
  flags: "readonly",
  acl: "sortedset",
  tips: ["nondeterministic_output"],
  keys: [Key.at(1, "RO access")],
  args: [
    Arg.key("key"),
    Arg.block("options", [Arg.integer("count"), Arg.token("WITHSCORES", { optional: true })], { optional: true }),
  ],
  parse: (args) => {
    const key = args.key()
    if (!args.more) return { key, count: undefined, withScores: false }
    // The only 64-bit integer refused here is the least of all.
    const exact = args.int64()
    if (exact === -(2n ** 63n)) args.fail(InvalidCount.random)
    const count = Number(exact)
    const withScores = args.option("WITHSCORES")
    if (args.more) args.fail(SyntaxError.error)
    if (withScores && (exact > 2n ** 62n - 1n || exact < -(2n ** 62n - 1n))) args.fail(OutOfRange.error)
    return { key, count, withScores }
  },
  run: ({ key, count, withScores }, { db, below, client }) =>
    Either.flatMap(db.readAs(key, SortedSet), (set) => {
      if (count === undefined) {
        return Either.right(set === undefined ? Reply.nil : Reply.bulk(set.memberAt(below(set.size))))
      }
      if (set === undefined || count === 0) return Either.right(Reply.emptyArray)
      if (count < -drawsMax) return Either.left(OutOfRange.error)
      const entries = new Entries(client, withScores)
      if (count < 0) {
        for (let left = -count; left > 0; left--) set.visit(below(set.size), 1, false, entries.add)
      } else if (count >= set.size) set.visit(set.size - 1, set.size, true, entries.add)
      else for (const rank of distinct(count, set.size, below)) set.visit(rank, 1, false, entries.add)
      return Either.right(entries.reply)
    }),
})

export const readCommands = [zcard, zcount, zlexcount, zscore, zmscore, zrank, zrevrank, zrandmember]
