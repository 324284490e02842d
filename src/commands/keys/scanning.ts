/**
 * Walking over the keys of a database: KEYS all at once, SCAN piece by piece.
 *
 * The idea to hold: a SCAN cursor is a position (see store/Keyspace.ts), so the server remembers nothing about a scan, and a
 * key that is there from the first call to the last is returned at least once.
 */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import { compileKeyGlob } from "../../bytes/Glob.ts"
import { keyword } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import { parseCursor } from "../../command/Cursor.ts"
import { SyntaxError } from "../../errors/CommandError.ts"
import { typeOf } from "../../store/Value.ts"

const keys = Command.make({
  name: "keys",
  summary: "Find all keys matching the given pattern",
  since: "1.0.0",
  group: "generic",
  complexity:
    "O(N) with N being the number of keys in the database, under the assumption that the key names in the database and the given pattern have limited length.",
  arity: 2,
  flags: "readonly",
  acl: "keyspace dangerous",
  tips: ["request_policy:all_shards", "nondeterministic_output_order"],
  args: [Arg.pattern("pattern")],
  parse: (args) => args.next(),
  run: (pattern, { db }) => {
    const matches = compileKeyGlob(pattern)
    const found: Array<string> = []
    db.keyspace.scan(0, db.size, (key) => {
      if (matches(key) && !db.isExpired(key)) found.push(key)
    })
    return Either.right(Reply.bulks(found))
  },
})

const scan = Command.make({
  name: "scan",
  summary: "Incrementally iterate the keys space",
  since: "2.8.0",
  group: "generic",
  complexity:
    "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.",
  history: [["6.0.0", "Added the `TYPE` subcommand."]],
  arity: -2,
  flags: "readonly",
  acl: "keyspace",
  tips: ["nondeterministic_output", "request_policy:special"],
  args: [
    Arg.integer("cursor"),
    Arg.pattern("pattern", { token: "MATCH", optional: true }),
    Arg.integer("count", { token: "COUNT", optional: true }),
    Arg.string("type", { token: "TYPE", optional: true, since: "6.0.0" }),
  ],
  parse: (args) => {
    const cursor = parseCursor(args.next())
    let count = 10
    let pattern: string | undefined
    let type: string | undefined
    while (args.more) {
      if (args.optionWith("COUNT", 1)) count = args.intIn(1, Number.MAX_SAFE_INTEGER, SyntaxError.error)
      else if (args.optionWith("MATCH", 1)) pattern = args.next()
      else if (args.optionWith("TYPE", 1)) type = keyword(args.next()).toLowerCase()
      else args.fail(SyntaxError.error)
    }
    return { cursor, count, pattern, type }
  },
  run: ({ cursor, count, pattern, type }, { db }) => {
    const matches = pattern === undefined || pattern === "*" ? undefined : compileKeyGlob(pattern)
    const found: Array<string> = []
    const expired: Array<string> = []
    if (cursor >= Number.MAX_SAFE_INTEGER) return Either.right(Reply.array([Reply.bulk("0"), Reply.emptyArray]))
    const next = db.keyspace.scan(cursor, count, (key, value) => {
      if (type !== undefined && typeOf(value) !== type) return
      if (matches !== undefined && !matches(key)) return
      if (db.isExpired(key)) expired.push(key)
      else found.push(key)
    })
    for (const key of expired) db.expireDue(key)
    return Either.right(Reply.array([Reply.bulk(String(next)), Reply.bulks(found)]))
  },
})

export const scanningCommands = [keys, scan]
