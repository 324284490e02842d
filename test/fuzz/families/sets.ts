/** Random requests of the set family: sets of integers of every width, at the threshold of the encoding, and of anything. */
import * as fc from "fast-check"
import * as Reply from "../../../src/codec/Reply.ts"
import { argv, type Family, integer, key, many, maybe, thresholds, value } from "../Fuzz.ts"

const number = fc.oneof(
  fc.integer({ min: -20, max: 20 }).map(String),
  fc.constantFrom("32767", "32768", "-32768", "-32769", "2147483647", "2147483648", "-2147483649"),
  fc.constantFrom("9007199254740993", "9223372036854775807", "-9223372036854775808", "9223372036854775806"),
)
const member = fc.oneof(
  { weight: 8, arbitrary: number },
  { weight: 2, arbitrary: value },
  { weight: 1, arbitrary: fc.constantFrom("a", "b", "c", "01", "long".repeat(30)) },
)
/** A run of integers, in which sets meet; some sets pass the 512 of an intset. */
const run = fc
  .tuple(fc.constantFrom(0, 0, 100, -300, 70_000), fc.constantFrom(5, 40, 300, 511, 513), fc.constantFrom("", "", "m"))
  .map(([first, count, prefix]) => Array.from({ length: count }, (_, n) => `${prefix}${first + n}`))
const keys = fc
  .tuple(many(key, 3), fc.constantFrom(0, 0, 0, 0, 0, 1, -1))
  .map(([names, wrong]) => [String(names.length + wrong), ...names])
const scanOption = fc.oneof(
  argv("MATCH", fc.constantFrom("*", "1*", "[0-5]", "-*", "m1?")),
  argv("COUNT", fc.constantFrom("20000", "0", "x")),
  argv(fc.constantFrom("COUNT", "FOO")),
)
const cursor = fc.constantFrom("0", "0", "0", "", "x", "-0", "+0", " 0", "18446744073709551616")

const unorderedCommands = new Set(["SMEMBERS", "SINTER", "SUNION", "SDIFF", "SPOP"])

/** The members that a scan gives, which come in no order, in one. */
const normalize = (reply: Reply.Reply): Reply.Reply => {
  if (reply._tag !== "Array" || reply.values.length !== 2) return reply
  const [cursor, members] = reply.values
  if (members._tag !== "Array") return reply
  const sorted = members.values.map((member) => (member._tag === "Bulk" ? member.value : "")).sort()
  return Reply.array([cursor, Reply.bulks(sorted)])
}

export const sets: Family = {
  name: "sets",
  command: fc.oneof(
    { weight: 3, arbitrary: argv("SADD", key, many(member, 6)) },
    { weight: 2, arbitrary: argv("SADD", key, run) },
    { weight: 2, arbitrary: argv("SREM", key, many(member, 6)) },
    argv("SREM", key, run),
    argv("SMOVE", key, key, member),
    argv("SISMEMBER", key, member),
    argv("SMISMEMBER", key, many(member)),
    argv("SCARD", key),
    argv("SMEMBERS", key),
    // What SPOP removes is chance, unless it removes all.
    argv("SPOP", key, fc.constantFrom("0", "100000", "-1", "x", "9223372036854775807"), maybe("more")),
    argv("SRANDMEMBER", key, maybe(integer)),
    argv(fc.constantFrom("SINTER", "SUNION", "SDIFF"), many(key, 3)),
    { weight: 2, arbitrary: argv(fc.constantFrom("SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"), key, many(key, 3)) },
    argv("SINTERCARD", keys, maybe("LIMIT", integer)),
    argv(
      "SSCAN",
      key,
      cursor,
      "COUNT",
      "10000",
      fc.array(scanOption, { maxLength: 2 }).map((words) => words.flat()),
    ),
    argv("LPUSH", key, "x"),
    thresholds("set-max-intset-entries"),
  ),
  unordered: ([name]) => unorderedCommands.has(name),
  ignored: ([name]) => name === "SRANDMEMBER",
  normalize,
}
