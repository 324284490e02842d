/**
 * The commands that work on parts of a string: APPEND STRLEN GETRANGE SETRANGE SUBSTR.
 *
 * The idea to hold: a string that is changed in place becomes a `StringBuffer` at the first change, which is what Redis's
 * `raw` encoding is too; reading a part copies that part only.
 */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import { type Answer, wrongType, zero } from "../../command/Answers.ts"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { OutOfRange } from "../../errors/CommandError.ts"
import { lengthOf } from "../../store/Bits.ts"
import type { Database } from "../../store/Database.ts"
import { EventClass } from "../../store/Events.ts"
import { growable, StringBuffer, bulkLengthMax } from "../../store/StringBuffer.ts"
import { stored } from "../../store/Value.ts"
import { empty, isString, tooLong } from "./answers.ts"

const append = Command.make({
  name: "append",
  summary: "Append a value to a key",
  since: "2.0.0",
  group: "string",
  complexity:
    "O(1). The amortized time complexity is O(1) assuming the appended value is small and the already present value is of any size, since the dynamic string library used by Redis will double the free space available on every reallocation.",
  arity: 3,
  flags: "write denyoom fast",
  acl: "string",
  keys: [Key.at(1, "RW insert")],
  args: [Arg.key("key"), Arg.string("value")],
  parse: (args) => ({ key: args.key(), value: args.next() }),
  run: ({ key, value }, { db, limits }) => {
    const old = db.write(key)
    if (old === undefined) {
      db.put(key, stored(value))
      db.changed(key, EventClass.string, "append")
      return Either.right(Reply.int(value.length))
    }
    if (!isString(old)) return wrongType
    const buffer = growable(old)
    if (buffer.length + value.length > limits.protoMaxBulkLen) return tooLong
    buffer.append(value)
    if (buffer !== old) db.put(key, buffer)
    db.changed(key, EventClass.string, "append")
    return Either.right(Reply.int(buffer.length))
  },
})

const strlen = Command.make({
  name: "strlen",
  summary: "Get the length of the value stored in a key",
  since: "2.2.0",
  group: "string",
  complexity: "O(1)",
  arity: 2,
  flags: "readonly fast",
  acl: "string",
  keys: [Key.at(1, "RO")],
  args: [Arg.key("key")],
  parse: (args) => args.key(),
  run: (key, { db }) => {
    const value = db.read(key)
    if (value === undefined) return zero
    return isString(value) ? Either.right(Reply.int(lengthOf(value))) : wrongType
  },
})

interface Part {
  readonly key: string
  readonly start: number | bigint
  readonly end: number | bigint
}

const parsePart = (args: Args): Part => ({ key: args.key(), start: args.int64(), end: args.int64() })

/** The part from `start` to `end`, both included, where negative positions count from the end. */
const readPart = ({ key, start, end }: Part, db: Database): Answer => {
  const value = db.read(key)
  if (value === undefined) return empty
  if (!isString(value)) return wrongType
  const length = lengthOf(value)
  if (start < 0 && end < 0 && start > end) return empty
  // Beyond 2^53 a position is far outside of any string, and stays so when rounded.
  const from = Math.max(0, start < 0 ? Number(start) + length : Number(start))
  const to = Math.min(length - 1, Math.max(0, end < 0 ? Number(end) + length : Number(end)))
  if (from > to) return empty
  if (!(value instanceof StringBuffer)) return Either.right(Reply.bulk(String(value).slice(from, to + 1)))
  // Differs: as in `bulk`, the longest strings can only be handed out in parts.
  return to + 1 - from > bulkLengthMax ? tooLong : Either.right(Reply.bulk(value.slice(from, to + 1)))
}

const getrange = Command.make({
  name: "getrange",
  summary: "Get a substring of the string stored at a key",
  since: "2.4.0",
  group: "string",
  complexity:
    "O(N) where N is the length of the returned string. The complexity is ultimately determined by the returned length, but because creating a substring from an existing string is very cheap, it can be considered O(1) for small strings.",
  arity: 4,
  flags: "readonly",
  acl: "string",
  keys: [Key.at(1, "RO access")],
  args: [Arg.key("key"), Arg.integer("start"), Arg.integer("end")],
  parse: parsePart,
  run: (part, { db }) => readPart(part, db),
})

const substr = Command.make({
  name: "substr",
  summary: "Get a substring of the string stored at a key",
  since: "1.0.0",
  group: "string",
  complexity:
    "O(N) where N is the length of the returned string. The complexity is ultimately determined by the returned length, but because creating a substring from an existing string is very cheap, it can be considered O(1) for small strings.",
  docFlags: "deprecated",
  deprecatedSince: "2.0.0",
  replacedBy: "`GETRANGE`",
  arity: 4,
  flags: "readonly",
  acl: "string",
  keys: [Key.at(1, "RO access")],
  args: [Arg.key("key"), Arg.integer("start"), Arg.integer("end")],
  parse: parsePart,
  run: (part, { db }) => readPart(part, db),
})

const setrange = Command.make({
  name: "setrange",
  summary: "Overwrite part of a string at key starting at the specified offset",
  since: "2.2.0",
  group: "string",
  complexity:
    "O(1), not counting the time taken to copy the new string in place. Usually, this string is very small so the amortized complexity is O(1). Otherwise, complexity is O(M) with M being the length of the value argument.",
  arity: 4,
  flags: "write denyoom",
  acl: "string",
  keys: [Key.at(1, "RW update")],
  args: [Arg.key("key"), Arg.integer("offset"), Arg.string("value")],
  parse: (args) => {
    const key = args.key()
    const offset = args.int()
    if (offset < 0) args.fail(negativeOffset)
    return { key, offset, value: args.next() }
  },
  run: ({ key, offset, value }, { db, limits }) => {
    const old = db.write(key)
    if (old !== undefined && !isString(old)) return wrongType
    // Nothing to write changes nothing, wherever it is: not even the length.
    if (value.length === 0) return old === undefined ? zero : Either.right(Reply.int(lengthOf(old)))
    if (offset + value.length > limits.protoMaxBulkLen) return tooLong
    const buffer = old === undefined ? new StringBuffer(Buffer.alloc(0)) : growable(old)
    buffer.setRange(offset, value)
    if (buffer !== old) db.put(key, buffer)
    db.changed(key, EventClass.string, "setrange")
    return Either.right(Reply.int(buffer.length))
  },
})
const negativeOffset = new OutOfRange("offset is out of range")

export const parts = [append, strlen, getrange, setrange, substr]
