/**
 * Adding to fields: HINCRBY on 64-bit integers, HINCRBYFLOAT on long doubles. The deadline of the field stays.
 */
import * as Either from "effect/Either"
import {
  addInt64,
  addLongDouble,
  formatLongDouble,
  isFiniteLongDouble,
  parseInteger,
  parseLongDouble,
} from "../../bytes/Numbers.ts"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { NotFloat } from "../../errors/CommandError.ts"
import { FieldNotNumber, InfiniteIncrement } from "../../errors/HashErrors.ts"
import { SumOutOfRange } from "../../errors/StringErrors.ts"
import { EventClass } from "../../store/Events.ts"
import { Hash } from "../../store/Hash.ts"

const hincrby = Command.make({
  name: "hincrby",
  summary: "Increment the integer value of a hash field by the given number",
  since: "2.0.0",
  group: "hash",
  complexity: "O(1)",
  arity: 4,
  flags: "write denyoom fast",
  acl: "hash",
  keys: [Key.at(1, "RW access update")],
  args: [Arg.key("key"), Arg.string("field"), Arg.integer("increment")],
  parse: (args) => ({ key: args.key(), field: args.next(), amount: args.int64() }),
  run: ({ key, field, amount }, { db, limits }) => {
    const found = db.writeAs(key, Hash)
    if (Either.isLeft(found)) return Either.left(found.left)
    const hash = found.right ?? new Hash()
    const old = hash.get(field)
    const value = old === undefined ? 0 : parseInteger(old)
    if (value === undefined) return Either.left(FieldNotNumber.integer)
    const sum = addInt64(value, amount)
    if (sum === undefined) return Either.left(SumOutOfRange.integer)
    hash.put(field, String(sum), limits)
    if (found.right === undefined) db.put(key, hash)
    db.changed(key, EventClass.hash, "hincrby")
    return Either.right(Reply.int(sum))
  },
})

const hincrbyfloat = Command.make({
  name: "hincrbyfloat",
  summary: "Increment the float value of a hash field by the given amount",
  since: "2.6.0",
  group: "hash",
  complexity: "O(1)",
  arity: 4,
  flags: "write denyoom fast",
  acl: "hash",
  keys: [Key.at(1, "RW access update")],
  args: [Arg.key("key"), Arg.string("field"), Arg.double("increment")],
  parse: (args) => {
    const key = args.key()
    const field = args.next()
    const amount = parseLongDouble(args.next())
    if (amount === undefined) return args.fail(NotFloat.error)
    if (!isFiniteLongDouble(amount)) return args.fail(InfiniteIncrement.error)
    return { key, field, amount }
  },
  run: ({ key, field, amount }, { db, limits, propagateAs }) => {
    const found = db.writeAs(key, Hash)
    if (Either.isLeft(found)) return Either.left(found.left)
    const hash = found.right ?? new Hash()
    const value = parseLongDouble(hash.get(field) ?? "0")
    if (value === undefined) return Either.left(FieldNotNumber.float)
    const sum = addLongDouble(value, amount)
    if (sum === undefined) return Either.left(SumOutOfRange.float)
    const text = formatLongDouble(sum)
    hash.put(field, text, limits)
    if (found.right === undefined) db.put(key, hash)
    db.changed(key, EventClass.hash, "hincrbyfloat")
    // Logged as the sum, because another machine could round the addition differently; HSET alone would end the deadline.
    const set = ["HSET", key, field, text]
    const deadline = hash.deadline(field)
    if (deadline === undefined) propagateAs(set)
    else propagateAs(set, ["HPEXPIREAT", key, String(deadline), "FIELDS", "1", field])
    return Either.right(Reply.bulk(text))
  },
})

export const counterCommands = [hincrby, hincrbyfloat]
