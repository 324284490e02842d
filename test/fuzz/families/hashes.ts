/** Random requests of the hash family, as redis-server 7.0.15 knows it. */
import * as fc from "fast-check"
import * as Reply from "../../../src/codec/Reply.ts"
import { formatReply } from "../../support/Transcript.ts"
import { argv, type Family, float, integer, key, many, maybe, thresholds, value as anyValue } from "../Fuzz.ts"

const value = anyValue.filter((word) => word.length <= 64)

const field = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("a", "b", "c", "d", "e", "f", "n", "m") },
  { weight: 1, arbitrary: value },
)
/** Fields that mostly hold numbers. */
const counter = fc.constantFrom("n", "m", "a")
const number = fc.oneof(
  integer,
  float,
  fc.constantFrom("9223372036854775806", "-9223372036854775807", "9007199254740993", "3.0e3", "1e17", "5e-18", "0x10"),
)
const smallNumber = number.filter((word) => !word.includes("1e300"))
const content = fc.oneof({ weight: 3, arbitrary: value }, { weight: 1, arbitrary: number })
const pairs = fc.array(fc.tuple(field, content), { minLength: 1, maxLength: 5 }).map((all) => all.flat())
/** About as many fields as a listpack keeps, some of them twice. */
const crowd = fc
  .tuple(fc.integer({ min: 100, max: 150 }), fc.integer({ min: 90, max: 150 }))
  .map(([count, distinct]) => Array.from({ length: count }, (_, i) => [`f${i % distinct}`, String(i)]).flat())
const cursor = fc.oneof(
  { weight: 5, arbitrary: fc.constant("0") },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "",
      "x",
      "+0",
      "-0",
      " 0",
      "0 ",
      "0\0x",
      "18446744073709551616",
      "-18446744073709551616",
    ),
  },
)
const scanOption = fc.oneof(
  argv("MATCH", fc.constantFrom("*", "a*", "?", "[a-c]", "f1?", "")),
  argv("COUNT", fc.constantFrom("1000", "1000", "0", "-1", "x")),
  fc.constantFrom(["FOO"], ["MATCH"], ["COUNT"], ["match", "*"]),
)
/** A scan of one call: the cursors of a hashtable are each server's own. */
const scan = argv(
  "HSCAN",
  key,
  cursor,
  fc.array(scanOption, { maxLength: 2 }).map((words) => [...words.flat(), "COUNT", "1000"]),
)

/** Counts whose answer chance does not decide. */
const randomCount = fc.constantFrom("0", "1000", "x", "9223372036854775808", "-9223372036854775808")

const common = (number: fc.Arbitrary<string>) => [
  { weight: 5, arbitrary: argv("HSET", key, pairs, maybe("odd")) },
  { weight: 2, arbitrary: argv("HMSET", key, pairs, maybe("odd")) },
  { weight: 2, arbitrary: argv("HSETNX", key, field, content) },
  { weight: 2, arbitrary: argv("HGET", key, field) },
  { weight: 2, arbitrary: argv("HMGET", key, many(field)) },
  { weight: 2, arbitrary: argv("HGETALL", key) },
  { weight: 1, arbitrary: argv("HKEYS", key) },
  { weight: 1, arbitrary: argv("HVALS", key) },
  { weight: 1, arbitrary: argv("HLEN", key) },
  { weight: 1, arbitrary: argv("HEXISTS", key, field) },
  { weight: 1, arbitrary: argv("HSTRLEN", key, field) },
  { weight: 3, arbitrary: argv("HDEL", key, many(field)) },
  { weight: 3, arbitrary: argv("HINCRBY", key, counter, number) },
  { weight: 3, arbitrary: argv("HINCRBYFLOAT", key, counter, number) },
  { weight: 2, arbitrary: scan },
  { weight: 1, arbitrary: argv("HRANDFIELD", key) },
  {
    weight: 1,
    arbitrary: argv("HRANDFIELD", key, randomCount, maybe(fc.constantFrom("WITHVALUES", "withvalues", "FOO"))),
  },
  {
    weight: 1,
    arbitrary: argv("HRANDFIELD", key, fc.constantFrom("4611686018427387904", "-4611686018427387904"), "WITHVALUES"),
  },
  { weight: 1, arbitrary: argv("OBJECT", "ENCODING", key) },
  { weight: 1, arbitrary: argv("ZADD", key, "1", field) },
  { weight: 1, arbitrary: fc.constantFrom(["HELLO", "3"], ["HELLO", "2"]) },
]

const ignored = ([name, , count]: ReadonlyArray<string>): boolean =>
  name === "HELLO" || (name === "HRANDFIELD" && count === undefined)

export const hashes: Family = {
  name: "hashes",
  command: fc.oneof(
    ...common(number),
    {
      weight: 2,
      arbitrary: argv(
        "HSET",
        key,
        field,
        fc.integer({ min: 60, max: 70 }).map((length) => "v".repeat(length)),
      ),
    },
    { weight: 1, arbitrary: argv("HSET", key, crowd) },
    { weight: 1, arbitrary: argv("HDEL", key, crowd) },
    { weight: 1, arbitrary: thresholds("hash-max-listpack-entries", "hash-max-ziplist-value") },
  ),
  // The order of a hashtable is each server's own, within the reply of HSCAN too.
  normalize: (reply) =>
    reply._tag === "Array" && reply.values[1]?._tag === "Array"
      ? Reply.array([reply.values[0], Reply.simple(formatReply(reply.values[1], true).join(" "))])
      : reply,
  unordered: ([name]) => ["HGETALL", "HKEYS", "HVALS", "HSCAN", "HRANDFIELD"].includes(name),
  ignored,
}

/** Hashes that stay small, without numbers whose digits make a hashtable: their order is that of insertion. */
export const smallHashes: Family = { name: "smallHashes", command: fc.oneof(...common(smallNumber)), ignored }
