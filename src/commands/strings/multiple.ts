/**
 * The commands over several strings: MGET MSET MSETNX.
 *
 * The idea to hold: all keys are read, or written, in one call, so nobody sees half of them; MSETNX looks at all keys before
 * it writes the first.
 */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import { ok, one, zero } from "../../command/Answers.ts"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { WrongArity } from "../../errors/CommandError.ts"
import type { Database } from "../../store/Database.ts"
import { EventClass } from "../../store/Events.ts"
import { bulkLengthMax } from "../../store/StringBuffer.ts"
import { bytesOf, stored } from "../../store/Value.ts"
import { isString, tooLong } from "./answers.ts"

const mget = Command.make({
  name: "mget",
  summary: "Get the values of all the given keys",
  since: "1.0.0",
  group: "string",
  complexity: "O(N) where N is the number of keys to retrieve.",
  arity: -2,
  flags: "readonly fast",
  acl: "string",
  tips: ["request_policy:multi_shard"],
  keys: [Key.range(1, "RO access", { last: -1 })],
  args: [Arg.key("key", { multiple: true })],
  parse: (args) => args.rest(),
  run: (keys, { db }) => {
    const values = new Array<string | undefined>(keys.length)
    for (let n = 0; n < keys.length; n++) {
      const value = db.read(keys[n])
      if (typeof value === "string") values[n] = value
      else if (value === undefined || !isString(value)) values[n] = undefined
      else if (typeof value === "object" && value.size > bulkLengthMax) return tooLong
      else values[n] = bytesOf(value)
    }
    return Either.right(Reply.bulks(values))
  },
})

/** Keys and values by turns. */
const parsePairs = (args: Args, command: string): ReadonlyArray<string> => {
  if (args.left % 2 !== 0) throw WrongArity.of(command)
  return args.rest()
}

/** Stores all pairs; of a key that is named twice, the last value stays. */
const setAll = (pairs: ReadonlyArray<string>, db: Database): void => {
  for (let n = 0; n < pairs.length; n += 2) {
    db.set(pairs[n], stored(pairs[n + 1]))
    db.changed(pairs[n], EventClass.string, "set")
  }
}

const mset = Command.make({
  name: "mset",
  summary: "Set multiple keys to multiple values",
  since: "1.0.1",
  group: "string",
  complexity: "O(N) where N is the number of keys to set.",
  arity: -3,
  flags: "write denyoom",
  acl: "string",
  tips: ["request_policy:multi_shard", "response_policy:all_succeeded"],
  keys: [Key.range(1, "OW update", { last: -1, step: 2 })],
  args: [Arg.block("key_value", [Arg.key("key"), Arg.string("value")], { multiple: true })],
  parse: (args) => parsePairs(args, "mset"),
  run: (pairs, { db }) => {
    setAll(pairs, db)
    return ok
  },
})

const msetnx = Command.make({
  name: "msetnx",
  summary: "Set multiple keys to multiple values, only if none of the keys exist",
  since: "1.0.1",
  group: "string",
  complexity: "O(N) where N is the number of keys to set.",
  arity: -3,
  flags: "write denyoom",
  acl: "string",
  tips: ["request_policy:multi_shard", "response_policy:agg_min"],
  keys: [Key.range(1, "OW insert", { last: -1, step: 2 })],
  args: [Arg.block("key_value", [Arg.key("key"), Arg.string("value")], { multiple: true })],
  parse: (args) => parsePairs(args, "msetnx"),
  run: (pairs, { db }) => {
    for (let n = 0; n < pairs.length; n += 2) if (db.write(pairs[n]) !== undefined) return zero
    setAll(pairs, db)
    return one
  },
})

export const multiple = [mget, mset, msetnx]
