/**
 * Keys by name, whatever they hold: existence, type, removal, other names, other databases.
 */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { InvalidArgument, NoSuchKey, SyntaxError } from "../../errors/CommandError.ts"
import { ClientError } from "../../errors/ConnectionErrors.ts"
import type { Database } from "../../store/Database.ts"
import { EventClass } from "../../store/Events.ts"
import { typeOf, type Value } from "../../store/Value.ts"

const sameObject = new InvalidArgument("source and destination objects are the same")

const removeAll = (db: Database, keys: ReadonlyArray<string>): number => {
  let removed = 0
  for (const key of keys) {
    if (db.remove(key) === undefined) continue
    db.changed(key, EventClass.generic, "del")
    removed++
  }
  return removed
}

const del = Command.make({
  name: "del",
  summary: "Delete a key",
  since: "1.0.0",
  group: "generic",
  complexity:
    "O(N) where N is the number of keys that will be removed. When a key to remove holds a value other than a string, the individual complexity for this key is O(M) where M is the number of elements in the list, set, sorted set or hash. Removing a single key that holds a string value is O(1).",
  arity: -2,
  flags: "write",
  acl: "keyspace",
  tips: ["request_policy:multi_shard", "response_policy:agg_sum"],
  keys: [Key.range(1, "RM delete", { last: -1 })],
  args: [Arg.key("key", { multiple: true })],
  parse: (args) => args.rest(),
  run: (keys, { db }) => Either.right(Reply.int(removeAll(db, keys))),
})

const unlink = Command.make({
  name: "unlink",
  summary: "Delete a key asynchronously in another thread. Otherwise it is just as DEL, but non blocking.",
  since: "4.0.0",
  group: "generic",
  complexity:
    "O(1) for each key removed regardless of its size. Then the command does O(N) work in a different thread in order to reclaim memory, where N is the number of allocations the deleted objects where composed of.",
  arity: -2,
  flags: "write fast",
  acl: "keyspace",
  tips: ["request_policy:multi_shard", "response_policy:agg_sum"],
  keys: [Key.range(1, "RM delete", { last: -1 })],
  args: [Arg.key("key", { multiple: true })],
  parse: (args) => args.rest(),
  run: (keys, { db }) => Either.right(Reply.int(removeAll(db, keys))),
})

const exists = Command.make({
  name: "exists",
  summary: "Determine if a key exists",
  since: "1.0.0",
  group: "generic",
  complexity: "O(N) where N is the number of keys to check.",
  history: [["3.0.3", "Accepts multiple `key` arguments."]],
  arity: -2,
  flags: "readonly fast",
  acl: "keyspace",
  tips: ["request_policy:multi_shard", "response_policy:agg_sum"],
  keys: [Key.range(1, "RO", { last: -1 })],
  args: [Arg.key("key", { multiple: true })],
  parse: (args) => args.rest(),
  run: (keys, { db }) => {
    let existing = 0
    for (const key of keys) if (db.inspect(key) !== undefined) existing++
    return Either.right(Reply.int(existing))
  },
})

const touch = Command.make({
  name: "touch",
  summary: "Alters the last access time of a key(s). Returns the number of existing keys specified.",
  since: "3.2.1",
  group: "generic",
  complexity: "O(N) where N is the number of keys that will be touched.",
  arity: -2,
  flags: "readonly fast",
  acl: "keyspace",
  tips: ["request_policy:multi_shard", "response_policy:agg_sum"],
  keys: [Key.range(1, "RO", { last: -1 })],
  args: [Arg.key("key", { multiple: true })],
  parse: (args) => args.rest(),
  run: (keys, { db }) => {
    let touched = 0
    for (const key of keys) if (db.read(key) !== undefined) touched++
    return Either.right(Reply.int(touched))
  },
})

const type = Command.make({
  name: "type",
  summary: "Determine the type stored at key",
  since: "1.0.0",
  group: "generic",
  complexity: "O(1)",
  arity: 2,
  flags: "readonly fast",
  acl: "keyspace",
  keys: [Key.at(1, "RO")],
  args: [Arg.key("key")],
  parse: (args) => args.key(),
  run: (key, { db }) => {
    const value = db.inspect(key)
    return Either.right(Reply.simple(value === undefined ? "none" : typeOf(value)))
  },
})

const randomkey = Command.make({
  name: "randomkey",
  summary: "Return a random key from the keyspace",
  since: "1.0.0",
  group: "generic",
  complexity: "O(1)",
  arity: 1,
  flags: "readonly",
  acl: "keyspace",
  tips: ["request_policy:all_shards", "nondeterministic_output"],
  parse: () => undefined,
  run: (_, { db, below }) => Either.right(Reply.bulkOrNil(db.randomKey(below))),
})

/** Moves value and deadline to another name; what was there goes. */
const rename = (db: Database, from: string, to: string, value: Value): void => {
  const deadline = db.deadline(from)
  db.remove(to)
  db.put(to, value)
  db.remove(from)
  if (deadline !== undefined) db.setDeadline(to, deadline)
  db.signal(from)
  db.changed(from, EventClass.generic, "rename_from", 0)
  db.changed(to, EventClass.generic, "rename_to", 0)
}

const renameCommand = Command.make({
  name: "rename",
  summary: "Rename a key",
  since: "1.0.0",
  group: "generic",
  complexity: "O(1)",
  arity: 3,
  flags: "write",
  acl: "keyspace",
  keys: [Key.at(1, "RW access delete"), Key.at(2, "OW update")],
  args: [Arg.key("key"), Arg.key("newkey", { keySpec: 1 })],
  parse: (args) => ({ from: args.key(), to: args.key() }),
  run: ({ from, to }, { db }) => {
    const value = db.write(from)
    if (value === undefined) return Either.left(NoSuchKey.error)
    if (from !== to) rename(db, from, to, value)
    return Either.right(Reply.ok)
  },
})

const renamenx = Command.make({
  name: "renamenx",
  summary: "Rename a key, only if the new key does not exist",
  since: "1.0.0",
  group: "generic",
  complexity: "O(1)",
  history: [["3.2.0", "The command no longer returns an error when source and destination names are the same."]],
  arity: 3,
  flags: "write fast",
  acl: "keyspace",
  keys: [Key.at(1, "RW access delete"), Key.at(2, "OW insert")],
  args: [Arg.key("key"), Arg.key("newkey", { keySpec: 1 })],
  parse: (args) => ({ from: args.key(), to: args.key() }),
  run: ({ from, to }, { db }) => {
    const value = db.write(from)
    if (value === undefined) return Either.left(NoSuchKey.error)
    if (from === to || db.has(to)) return Either.right(Reply.zero)
    rename(db, from, to, value)
    return Either.right(Reply.one)
  },
})

const move = Command.make({
  name: "move",
  summary: "Move a key to another database",
  since: "1.0.0",
  group: "generic",
  complexity: "O(1)",
  arity: 3,
  flags: "write fast",
  acl: "keyspace",
  keys: [Key.at(1, "RW access update")],
  args: [Arg.key("key"), Arg.integer("db")],
  parse: (args) => ({ key: args.key(), index: args.int() }),
  run: ({ key, index }, { db, store }) => {
    const target = store.database(index)
    if (target === undefined) return Either.left(ClientError.noSuchDatabase)
    if (target === db) return Either.left(sameObject)
    const value = db.write(key)
    if (value === undefined || target.has(key)) return Either.right(Reply.zero)
    const deadline = db.deadline(key)
    target.put(key, value)
    if (deadline !== undefined) target.setDeadline(key, deadline)
    db.remove(key)
    db.changed(key, EventClass.generic, "move_from")
    target.changed(key, EventClass.generic, "move_to", 0)
    return Either.right(Reply.one)
  },
})

const copy = Command.make({
  name: "copy",
  summary: "Copy a key",
  since: "6.2.0",
  group: "generic",
  complexity: "O(N) worst case for collections, where N is the number of nested items. O(1) for string values.",
  arity: -3,
  flags: "write denyoom",
  acl: "keyspace",
  keys: [Key.at(1, "RO access"), Key.at(2, "OW update")],
  args: [
    Arg.key("source"),
    Arg.key("destination", { keySpec: 1 }),
    Arg.integer("destination-db", { token: "DB", optional: true }),
    Arg.token("REPLACE", { optional: true }),
  ],
  parse: (args) => {
    const source = args.key()
    const destination = args.key()
    let index: number | undefined
    let replace = false
    while (args.more) {
      if (args.option("REPLACE")) replace = true
      else if (args.optionWith("DB", 1)) index = args.int()
      else args.fail(SyntaxError.error)
    }
    return { source, destination, index, replace }
  },
  run: ({ source, destination, index, replace }, { db, store }) => {
    const target = index === undefined ? db : store.database(index)
    if (target === undefined) return Either.left(ClientError.noSuchDatabase)
    if (target === db && source === destination) return Either.left(sameObject)
    const value = db.read(source)
    if (value === undefined) return Either.right(Reply.zero)
    if (target.has(destination)) {
      if (!replace) return Either.right(Reply.zero)
      target.remove(destination)
    }
    const deadline = db.deadline(source)
    target.put(destination, typeof value === "object" ? value.copy() : value)
    if (deadline !== undefined) target.setDeadline(destination, deadline)
    target.changed(destination, EventClass.generic, "copy_to")
    return Either.right(Reply.one)
  },
})

export const nameCommands = [del, unlink, exists, touch, type, randomkey, renameCommand, renamenx, move, copy]
