/** Looking at a hash as a whole: its size, all of its fields, fields drawn by chance, and the scan over them. */
import * as Either from "effect/Either"
import { compileKeyGlob, type Matcher } from "../../bytes/Glob.ts"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import * as Command from "../../command/Command.ts"
import { parseCursor } from "../../command/Cursor.ts"
import * as Key from "../../command/Key.ts"
import { OutOfRange, SyntaxError } from "../../errors/CommandError.ts"
import { InvalidCount } from "../../errors/SortedSetErrors.ts"
import { Hash } from "../../store/Hash.ts"

const hlen = Command.make({
  name: "hlen",
  summary: "Get the number of fields in a hash",
  since: "2.0.0",
  group: "hash",
  complexity: "O(1)",
  arity: 2,
  flags: "readonly fast",
  acl: "hash",
  keys: [Key.at(1, "RO")],
  args: [Arg.key("key")],
  parse: (args) => args.key(),
  run: (key, { db }) => Either.map(db.readAs(key, Hash), (hash) => Reply.int(hash?.size ?? 0)),
})

const hgetall = Command.make({
  name: "hgetall",
  summary: "Get all the fields and values in a hash",
  since: "2.0.0",
  group: "hash",
  complexity: "O(N) where N is the size of the hash.",
  arity: 2,
  flags: "readonly",
  acl: "hash",
  tips: ["nondeterministic_output_order"],
  keys: [Key.at(1, "RO access")],
  args: [Arg.key("key")],
  parse: (args) => args.key(),
  run: (key, { db, client }) =>
    Either.map(db.readAs(key, Hash), (hash) => {
      if (client.replyProtocol === 2) {
        // The flat array that a map is in RESP2, without an object for each element.
        const words: Array<string> = []
        hash?.forEach((field, value) => words.push(field, value))
        return Reply.bulks(words)
      }
      const entries: Array<Reply.Reply> = []
      hash?.forEach((field, value) => entries.push(Reply.bulk(field), Reply.bulk(value)))
      return Reply.map(entries)
    }),
})

const hkeys = Command.make({
  name: "hkeys",
  summary: "Get all the fields in a hash",
  since: "2.0.0",
  group: "hash",
  complexity: "O(N) where N is the size of the hash.",
  arity: 2,
  flags: "readonly",
  acl: "hash",
  tips: ["nondeterministic_output_order"],
  keys: [Key.at(1, "RO access")],
  args: [Arg.key("key")],
  parse: (args) => args.key(),
  run: (key, { db }) =>
    Either.map(db.readAs(key, Hash), (hash) => {
      const fields: Array<string> = []
      hash?.forEach((field) => fields.push(field))
      return Reply.bulks(fields)
    }),
})

const hvals = Command.make({
  name: "hvals",
  summary: "Get all the values in a hash",
  since: "2.0.0",
  group: "hash",
  complexity: "O(N) where N is the size of the hash.",
  arity: 2,
  flags: "readonly",
  acl: "hash",
  tips: ["nondeterministic_output_order"],
  keys: [Key.at(1, "RO access")],
  args: [Arg.key("key")],
  parse: (args) => args.key(),
  run: (key, { db }) =>
    Either.map(db.readAs(key, Hash), (hash) => {
      const values: Array<string> = []
      hash?.forEach((_, value) => values.push(value))
      return Reply.bulks(values)
    }),
})

/** `count` different positions below `size`, in no order. */
const distinct = (count: number, size: number, below: (bound: number) => number): Iterable<number> => {
  // Floyd's way: each step adds one number, without drawing again what was drawn before.
  const drawn = new Set<number>()
  for (let last = size - count; last < size; last++) {
    const position = below(last + 1)
    drawn.add(drawn.has(position) ? last : position)
  }
  return drawn
}

/** Differs: redis-server tries to answer any number of draws, until it has no memory left. */
const drawsMax = 2 ** 26

const hrandfield = Command.make({
  name: "hrandfield",
  summary: "Get one or multiple random fields from a hash",
  since: "6.2.0",
  group: "hash",
  complexity: "O(N) where N is the number of fields returned",
  arity: -2,
  flags: "readonly",
  acl: "hash",
  tips: ["nondeterministic_output"],
  keys: [Key.at(1, "RO access")],
  args: [
    Arg.key("key"),
    Arg.block("options", [Arg.integer("count"), Arg.token("WITHVALUES", { optional: true })], { optional: true }),
  ],
  parse: (args) => {
    const key = args.key()
    if (!args.more) return { key, count: undefined, withValues: false }
    // The only 64-bit integer refused here is the least of all.
    const exact = args.int64()
    if (exact === -(2n ** 63n)) args.fail(InvalidCount.random)
    const withValues = args.option("WITHVALUES")
    if (args.more) args.fail(SyntaxError.error)
    if (withValues && (exact > 2n ** 62n - 1n || exact < -(2n ** 62n - 1n))) args.fail(OutOfRange.error)
    return { key, count: Number(exact), withValues }
  },
  run: ({ key, count, withValues }, { db, below, client }) => {
    const found = db.readAs(key, Hash)
    if (Either.isLeft(found)) return Either.left(found.left)
    const hash = found.right
    if (count === undefined) return Either.right(Reply.bulkOrNil(hash?.fieldAt(below(hash.size))))
    if (hash === undefined || count === 0) return Either.right(Reply.emptyArray)
    if (count < -drawsMax) return Either.left(OutOfRange.error)
    const words: Array<string> = []
    const add = (field: string, value: string) => {
      words.push(field)
      if (withValues) words.push(value)
    }
    if (count >= hash.size) hash.forEach(add)
    else {
      const positions = count > 0 ? distinct(count, hash.size, below) : draws(-count, hash.size, below)
      for (const position of positions) add(hash.fieldAt(position), withValues ? hash.valueAt(position) : "")
    }
    if (!withValues || client.replyProtocol === 2) return Either.right(Reply.bulks(words))
    const pairs: Array<Reply.Reply> = []
    for (let i = 0; i < words.length; i += 2) pairs.push(Reply.bulks([words[i], words[i + 1]]))
    return Either.right(Reply.array(pairs))
  },
})

/** `count` positions below `size`, each drawn anew. */
function* draws(count: number, size: number, below: (bound: number) => number): Iterable<number> {
  for (let left = count; left > 0; left--) yield below(size)
}

const countDefault = 10

const hscan = Command.make({
  name: "hscan",
  summary: "Incrementally iterate hash fields and associated values",
  since: "2.8.0",
  group: "hash",
  complexity:
    "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection..",
  arity: -3,
  flags: "readonly",
  acl: "hash",
  tips: ["nondeterministic_output"],
  keys: [Key.at(1, "RO access")],
  args: [
    Arg.key("key"),
    Arg.integer("cursor"),
    Arg.pattern("pattern", { token: "MATCH", optional: true }),
    Arg.integer("count", { token: "COUNT", optional: true }),
    Arg.token("NOVALUES", { optional: true, since: "7.4.0" }),
  ],
  parse: (args, { db }) => {
    const key = args.key()
    const cursor = parseCursor(args.next())
    const found = db.readAs(key, Hash)
    if (Either.isLeft(found)) return args.fail(found.left)
    const hash = found.right
    let count = countDefault
    let matches: Matcher | undefined
    let withValues = true
    // What is not there has been scanned, whatever the options say.
    if (hash === undefined) return { hash, cursor, count, matches, withValues }
    while (args.more) {
      if (args.optionWith("COUNT", 1)) count = args.intIn(1, Number.MAX_SAFE_INTEGER, SyntaxError.error)
      else if (args.optionWith("MATCH", 1)) matches = compileKeyGlob(args.next())
      else if (args.option("NOVALUES")) withValues = false
      else args.fail(SyntaxError.error)
    }
    return { hash, cursor, count, matches, withValues }
  },
  run: ({ hash, cursor, count, matches, withValues }) => {
    const words: Array<string> = []
    const next =
      hash?.scan(cursor, count, (field, value) => {
        if (matches !== undefined && !matches(field)) return
        words.push(field)
        if (withValues) words.push(value)
      }) ?? 0
    return Either.right(Reply.array([Reply.bulk(String(next)), Reply.bulks(words)]))
  },
})

export const wholeCommands = [hlen, hgetall, hkeys, hvals, hrandfield, hscan]
