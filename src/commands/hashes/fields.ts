/** Setting, getting and removing the fields that a request names. */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { type CommandError, WrongArity, type WrongType } from "../../errors/CommandError.ts"
import { EventClass } from "../../store/Events.ts"
import { Hash } from "../../store/Hash.ts"

/** The request of HSET and HMSET: their fields and values are taken from where they stand. */
const parsePairs = (name: string) => {
  const error = WrongArity.of(name)
  return ({ argv }: Args): ReadonlyArray<string> => {
    if (argv.length % 2 === 1) throw error
    return argv
  }
}

const firstPair = 2

/** Sets the pairs of a request; answers how many fields are new. A field that is set anew stays for good. */
const setPairs = (argv: ReadonlyArray<string>, { db, limits }: Command.Ctx): Either.Either<number, WrongType> => {
  const key = argv[1]
  const found = db.writeAs(key, Hash)
  if (Either.isLeft(found)) return Either.left(found.left)
  const hash = found.right ?? new Hash()
  const added = hash.putAll(argv, firstPair, limits)
  if (hash.nextDeadline !== Infinity) {
    for (let i = firstPair; i < argv.length; i += 2) hash.setDeadline(argv[i], undefined)
  }
  if (found.right === undefined) db.put(key, hash)
  db.changed(key, EventClass.hash, "hset", (argv.length - firstPair) / 2)
  return Either.right(added)
}

const hset = Command.make({
  name: "hset",
  summary: "Set the string value of a hash field",
  since: "2.0.0",
  group: "hash",
  complexity:
    "O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is called with multiple field/value pairs.",
  history: [["4.0.0", "Accepts multiple `field` and `value` arguments."]],
  arity: -4,
  flags: "write denyoom fast",
  acl: "hash",
  keys: [Key.at(1, "RW update")],
  args: [Arg.key("key"), Arg.block("field_value", [Arg.string("field"), Arg.string("value")], { multiple: true })],
  parse: parsePairs("hset"),
  run: (argv, ctx): Either.Either<Reply.Reply, CommandError> => {
    const added = setPairs(argv, ctx)
    return Either.isLeft(added) ? Either.left(added.left) : Either.right(Reply.int(added.right))
  },
})

const hmset = Command.make({
  name: "hmset",
  summary: "Set multiple hash fields to multiple values",
  since: "2.0.0",
  group: "hash",
  complexity: "O(N) where N is the number of fields being set.",
  docFlags: "deprecated",
  deprecatedSince: "4.0.0",
  replacedBy: "`HSET` with multiple field-value pairs",
  arity: -4,
  flags: "write denyoom fast",
  acl: "hash",
  keys: [Key.at(1, "RW update")],
  args: [Arg.key("key"), Arg.block("field_value", [Arg.string("field"), Arg.string("value")], { multiple: true })],
  parse: parsePairs("hmset"),
  run: (argv, ctx) => Either.map(setPairs(argv, ctx), () => Reply.ok),
})

const hsetnx = Command.make({
  name: "hsetnx",
  summary: "Set the value of a hash field, only if the field does not exist",
  since: "2.0.0",
  group: "hash",
  complexity: "O(1)",
  arity: 4,
  flags: "write denyoom fast",
  acl: "hash",
  keys: [Key.at(1, "RW insert")],
  args: [Arg.key("key"), Arg.string("field"), Arg.string("value")],
  parse: (args) => ({ key: args.key(), field: args.next(), value: args.next() }),
  run: ({ key, field, value }, { db, limits }) => {
    const found = db.writeAs(key, Hash)
    if (Either.isLeft(found)) return Either.left(found.left)
    const hash = found.right ?? new Hash()
    if (hash.has(field)) return Either.right(Reply.zero)
    hash.put(field, value, limits)
    if (found.right === undefined) db.put(key, hash)
    db.changed(key, EventClass.hash, "hset")
    return Either.right(Reply.one)
  },
})

const hget = Command.make({
  name: "hget",
  summary: "Get the value of a hash field",
  since: "2.0.0",
  group: "hash",
  complexity: "O(1)",
  arity: 3,
  flags: "readonly fast",
  acl: "hash",
  keys: [Key.at(1, "RO access")],
  args: [Arg.key("key"), Arg.string("field")],
  parse: ({ argv }) => argv,
  run: (argv, { db }): Either.Either<Reply.Reply, CommandError> => {
    const found = db.readAs(argv[1], Hash)
    if (Either.isLeft(found)) return Either.left(found.left)
    return Either.right(Reply.bulkOrNil(found.right?.get(argv[2])))
  },
})

const hmget = Command.make({
  name: "hmget",
  summary: "Get the values of all the given hash fields",
  since: "2.0.0",
  group: "hash",
  complexity: "O(N) where N is the number of fields being requested.",
  arity: -3,
  flags: "readonly fast",
  acl: "hash",
  keys: [Key.at(1, "RO access")],
  args: [Arg.key("key"), Arg.string("field", { multiple: true })],
  parse: (args) => ({ key: args.key(), fields: args.rest() }),
  run: ({ key, fields }, { db }) =>
    Either.map(db.readAs(key, Hash), (hash) => Reply.bulks(fields.map((field) => hash?.get(field)))),
})

const hexists = Command.make({
  name: "hexists",
  summary: "Determine if a hash field exists",
  since: "2.0.0",
  group: "hash",
  complexity: "O(1)",
  arity: 3,
  flags: "readonly fast",
  acl: "hash",
  keys: [Key.at(1, "RO")],
  args: [Arg.key("key"), Arg.string("field")],
  parse: (args) => ({ key: args.key(), field: args.next() }),
  run: ({ key, field }, { db }) => Either.map(db.readAs(key, Hash), (hash) => Reply.flag(hash?.has(field) === true)),
})

const hstrlen = Command.make({
  name: "hstrlen",
  summary: "Get the length of the value of a hash field",
  since: "3.2.0",
  group: "hash",
  complexity: "O(1)",
  arity: 3,
  flags: "readonly fast",
  acl: "hash",
  keys: [Key.at(1, "RO")],
  args: [Arg.key("key"), Arg.string("field")],
  parse: (args) => ({ key: args.key(), field: args.next() }),
  run: ({ key, field }, { db }) => Either.map(db.readAs(key, Hash), (hash) => Reply.int(hash?.valueLength(field) ?? 0)),
})

const hdel = Command.make({
  name: "hdel",
  summary: "Delete one or more hash fields",
  since: "2.0.0",
  group: "hash",
  complexity: "O(N) where N is the number of fields to be removed.",
  history: [["2.4.0", "Accepts multiple `field` arguments."]],
  arity: -3,
  flags: "write fast",
  acl: "hash",
  keys: [Key.at(1, "RW delete")],
  args: [Arg.key("key"), Arg.string("field", { multiple: true })],
  parse: (args) => ({ key: args.key(), fields: args.rest() }),
  run: ({ key, fields }, { db }) => {
    const found = db.writeAs(key, Hash)
    if (Either.isLeft(found)) return Either.left(found.left)
    const hash = found.right
    if (hash === undefined) return Either.right(Reply.zero)
    let removed = 0
    for (const field of fields) if (hash.remove(field)) removed++
    if (removed > 0) {
      db.changed(key, EventClass.hash, "hdel", removed)
      db.removeIfEmpty(key, hash)
    }
    return Either.right(Reply.int(removed))
  },
})

export const fieldCommands = [hset, hmset, hsetnx, hget, hmget, hexists, hstrlen, hdel]
