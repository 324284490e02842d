/**
 * The counters: INCR DECR INCRBY DECRBY on 64-bit integers, INCRBYFLOAT on long doubles.
 *
 * The idea to hold: an integer within 2^53 is stored as a number, and counting it is one addition; only beyond does a bigint
 * take over. INCRBYFLOAT is logged as the sum, because another machine could round the addition differently.
 */
import * as Either from "effect/Either"
import { addInt64, addLongDouble, formatLongDouble, parseInteger, parseLongDouble } from "../../bytes/Numbers.ts"
import * as Reply from "../../codec/Reply.ts"
import { type Answer, wrongType } from "../../command/Answers.ts"
import * as Arg from "../../command/Arg.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { NotFloat } from "../../errors/CommandError.ts"
import { SumOutOfRange } from "../../errors/StringErrors.ts"
import type { Database } from "../../store/Database.ts"
import { EventClass } from "../../store/Events.ts"
import { IntegerText } from "../../store/IntegerText.ts"
import { beginningOf } from "../../store/StringBuffer.ts"
import { isString, notInteger } from "./answers.ts"

/** Nothing of this length is a number that fits. */
const numberLengthMax = 8192

const overflow: Answer = Either.left(SumOutOfRange.integer)
const notFloat: Answer = Either.left(NotFloat.error)
const infinite: Answer = Either.left(SumOutOfRange.float)

const add = (db: Database, key: string, amount: number | bigint): Answer => {
  const old = db.write(key)
  let value: number | bigint | undefined
  if (typeof old === "number") value = old
  else if (old === undefined) value = 0
  else if (isString(old)) value = parseInteger(beginningOf(old, numberLengthMax))
  else return wrongType
  if (value === undefined) return notInteger
  const sum = addInt64(value, amount)
  if (sum === undefined) return overflow
  db.put(key, typeof sum === "number" ? sum : String(sum))
  db.changed(key, EventClass.string, "incrby")
  return Either.right(Reply.int(sum))
}

const incr = Command.make({
  name: "incr",
  summary: "Increment the integer value of a key by one",
  since: "1.0.0",
  group: "string",
  complexity: "O(1)",
  arity: 2,
  flags: "write denyoom fast",
  acl: "string",
  keys: [Key.at(1, "RW access update")],
  args: [Arg.key("key")],
  parse: (args) => args.key(),
  run: (key, { db }) => add(db, key, 1),
})

const decr = Command.make({
  name: "decr",
  summary: "Decrement the integer value of a key by one",
  since: "1.0.0",
  group: "string",
  complexity: "O(1)",
  arity: 2,
  flags: "write denyoom fast",
  acl: "string",
  keys: [Key.at(1, "RW access update")],
  args: [Arg.key("key")],
  parse: (args) => args.key(),
  run: (key, { db }) => add(db, key, -1),
})

const incrby = Command.make({
  name: "incrby",
  summary: "Increment the integer value of a key by the given amount",
  since: "1.0.0",
  group: "string",
  complexity: "O(1)",
  arity: 3,
  flags: "write denyoom fast",
  acl: "string",
  keys: [Key.at(1, "RW access update")],
  args: [Arg.key("key"), Arg.integer("increment")],
  parse: (args) => ({ key: args.key(), amount: args.int64() }),
  run: ({ key, amount }, { db }) => add(db, key, amount),
})

const int64Min = -9223372036854775808n

const decrby = Command.make({
  name: "decrby",
  summary: "Decrement the integer value of a key by the given number",
  since: "1.0.0",
  group: "string",
  complexity: "O(1)",
  arity: 3,
  flags: "write denyoom fast",
  acl: "string",
  keys: [Key.at(1, "RW access update")],
  args: [Arg.key("key"), Arg.integer("decrement")],
  parse: (args) => {
    const key = args.key()
    const amount = args.int64()
    if (amount === int64Min) args.fail(SumOutOfRange.decrement)
    return { key, amount: -amount }
  },
  run: ({ key, amount }, { db }) => add(db, key, amount),
})

const incrbyfloat = Command.make({
  name: "incrbyfloat",
  summary: "Increment the float value of a key by the given amount",
  since: "2.6.0",
  group: "string",
  complexity: "O(1)",
  arity: 3,
  flags: "write denyoom fast",
  acl: "string",
  keys: [Key.at(1, "RW access update")],
  args: [Arg.key("key"), Arg.double("increment")],
  parse: (args) => ({ key: args.key(), amount: parseLongDouble(args.next()) }),
  run: ({ key, amount }, { db, propagateAs }) => {
    const old = db.write(key)
    if (old !== undefined && !isString(old)) return wrongType
    const value = parseLongDouble(old === undefined ? "0" : beginningOf(old, numberLengthMax))
    if (value === undefined || amount === undefined) return notFloat
    const sum = addLongDouble(value, amount)
    if (sum === undefined) return infinite
    const text = formatLongDouble(sum)
    db.put(key, parseInteger(text) === undefined ? text : new IntegerText(text))
    db.changed(key, EventClass.string, "incrbyfloat")
    propagateAs(["SET", key, text, "KEEPTTL"])
    return Either.right(Reply.bulk(text))
  },
})

export const counters = [incr, decr, incrby, decrby, incrbyfloat]
