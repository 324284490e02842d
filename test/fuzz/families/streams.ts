/**
 * Random requests of the stream family. Ids are small and meet often; nodes are made small by settings, so that trimming by
 * whole nodes is seen. What the clock decides (generated ids, times of delivery) is blotted out before replies are compared.
 */
import * as fc from "fast-check"
import type { Reply } from "../../../src/codec/Reply.ts"
import { withoutAdditions } from "../../support/Additions.ts"
import { argv, type Family, integer, key, many, maybe, value } from "../Fuzz.ts"

const wrongId = fc.constantFrom(
  "bad",
  "",
  "1-1-1",
  "-",
  "+",
  "$",
  ">",
  "*",
  "1-*",
  "18446744073709551616",
  "1-18446744073709551616",
  "-1",
  "x-1",
  "1-x",
  "(",
  "1-",
  "-1-1",
)
const oddId = fc.constantFrom(
  ...[
    "0",
    "0-0",
    "0-1",
    "007-1",
    "+1-+2",
    " 3-1",
    "1--05",
    "3-1\0x",
    "9007199254740991-9007199254740992",
    "9007199254740993-1",
  ],
  ...[
    "9223372036854775808-9223372036854775807",
    "18446744073709551615-18446744073709551614",
    "18446744073709551614-18446744073709551615",
  ],
)
const plainId = fc
  .tuple(fc.integer({ min: 0, max: 7 }), fc.integer({ min: 0, max: 6 }))
  .map(([ms, seq]) => `${ms}-${seq}`)
const id = fc.oneof(
  { weight: 12, arbitrary: plainId },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 8 }).map(String) },
  { weight: 1, arbitrary: oddId },
  { weight: 1, arbitrary: wrongId },
)
const autoId = fc.integer({ min: 1, max: 7 }).map((ms) => `${ms}-*`)
const newId = fc.oneof(
  { weight: 10, arbitrary: autoId },
  { weight: 2, arbitrary: id },
  { weight: 1, arbitrary: fc.constant("*") },
)
const bound = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("-", "+") },
  { weight: 3, arbitrary: id },
  { weight: 2, arbitrary: id.map((one) => `(${one}`) },
  { weight: 1, arbitrary: fc.constantFrom("(18446744073709551615-18446744073709551615", "(0-0", "(+", "(-") },
)
const word = fc.oneof(
  { weight: 6, arbitrary: value },
  { weight: 1, arbitrary: fc.integer({ min: 60, max: 70 }).map((length) => "w".repeat(length)) },
  { weight: 1, arbitrary: fc.constantFrom(100, 1000, 4090, 4096, 5000).map((length) => "w".repeat(length)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "127",
      "128",
      "-4096",
      "4095",
      "4096",
      "32768",
      "-8388609",
      "8388607",
      "2147483648",
      "-9007199254740993",
    ),
  },
)
const pairs = fc.oneof(
  { weight: 4, arbitrary: argv("f", word) },
  { weight: 3, arbitrary: argv("f", word, "g", word) },
  {
    weight: 2,
    arbitrary: fc
      .array(fc.tuple(fc.constantFrom("f", "g", "", "1"), word), { minLength: 1, maxLength: 4 })
      .map((all) => all.flat()),
  },
  { weight: 1, arbitrary: argv("f", word, "g") },
)
const count = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 12 }).map(String) },
  { weight: 1, arbitrary: integer },
)
const operator = fc.constantFrom<ReadonlyArray<string>>([], ["="], ["~"], ["~"])
const limit = fc.oneof({ weight: 2, arbitrary: argv() }, { weight: 1, arbitrary: argv("LIMIT", count) })
const trim = fc.oneof(
  { weight: 5, arbitrary: argv(fc.constantFrom("MAXLEN", "maxlen"), operator, count, limit) },
  { weight: 5, arbitrary: argv("MINID", operator, id, limit) },
  { weight: 1, arbitrary: argv(limit, "MAXLEN", operator, count, "MINID", operator, id) },
)

const group = fc.constantFrom("g", "g", "g", "h", "nog")
const consumer = fc.constantFrom("c", "d", "e", "\xff")
const option = (...words: ReadonlyArray<string>) =>
  fc.constantFrom<ReadonlyArray<string>>([], ...words.map((one) => [one]))
const from = fc.oneof({ weight: 3, arbitrary: fc.constantFrom("0", "$") }, { weight: 3, arbitrary: id })

const adding = fc.oneof(
  { weight: 8, arbitrary: argv("XADD", key, newId, pairs) },
  {
    weight: 2,
    arbitrary: argv("XADD", key, option("NOMKSTREAM"), fc.oneof(trim, argv()), option("nomkstream"), newId, pairs),
  },
)
const removing = fc.oneof(
  argv("XDEL", key, many(id)),
  argv("XTRIM", key, trim),
  argv("XTRIM", key, trim, option("NOMKSTREAM", "LIMIT")),
)
const ranges = fc.oneof(
  argv("XRANGE", key, bound, bound, maybe("COUNT", count)),
  argv("XREVRANGE", key, bound, bound, maybe("count", count)),
  argv("XLEN", key),
  argv("XRANGE", key, "-", "+", fc.constantFrom("COUNT", "FOO")),
)
const streams = fc.oneof(
  { weight: 5, arbitrary: argv("STREAMS", key, fc.oneof(id, fc.constantFrom(">", ">", "$"))) },
  {
    weight: 1,
    arbitrary: argv("STREAMS", key, key, fc.constantFrom(">", "0"), fc.oneof(id, fc.constantFrom(">", "$"))),
  },
  { weight: 1, arbitrary: argv("STREAMS", key, key, id) },
  { weight: 1, arbitrary: argv("STREAMS") },
)
const block = fc.oneof(
  { weight: 12, arbitrary: argv() },
  { weight: 1, arbitrary: argv("BLOCK", fc.constantFrom("1", "-1", "x", "0.5")) },
)
const reading = fc.oneof(
  { weight: 1, arbitrary: argv("XREAD", maybe("COUNT", count), block, streams) },
  {
    weight: 3,
    arbitrary: argv("XREADGROUP", "GROUP", group, consumer, maybe("COUNT", count), block, option("NOACK"), streams),
  },
  {
    weight: 3,
    arbitrary: argv(
      "XREADGROUP",
      "GROUP",
      "g",
      consumer,
      maybe("COUNT", count),
      "STREAMS",
      key,
      fc.constantFrom(">", ">", "0"),
    ),
  },
  {
    weight: 1,
    arbitrary: argv(
      fc.constantFrom("XREAD", "XREADGROUP"),
      many(fc.constantFrom("GROUP", "COUNT", "1", "g", "NOACK", "BLOCK", "STREAMS", "FOO"), 6),
      streams,
    ),
  },
)
const grouping = fc.oneof(
  { weight: 6, arbitrary: argv("XGROUP", "CREATE", key, group, from, option("MKSTREAM"), maybe("ENTRIESREAD", count)) },
  {
    weight: 2,
    arbitrary: argv(
      "XGROUP",
      "SETID",
      key,
      group,
      fc.oneof(from, fc.constantFrom("-", "+")),
      maybe("ENTRIESREAD", count),
    ),
  },
  { weight: 1, arbitrary: argv("XGROUP", fc.constantFrom("DESTROY", "destroy"), key, group) },
  { weight: 1, arbitrary: argv("XGROUP", fc.constantFrom("CREATECONSUMER", "DELCONSUMER"), key, group, consumer) },
  {
    weight: 1,
    arbitrary: argv(
      "XGROUP",
      fc.constantFrom("CREATE", "SETID", "DESTROY", "FOO"),
      key,
      group,
      many(fc.constantFrom("0", "$", "MKSTREAM", "ENTRIESREAD", "1", "FOO"), 6),
    ),
  },
)
const minIdle = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("0", "0", "50000", "-1") },
  { weight: 1, arbitrary: integer },
)
const claimOptions = fc
  .array(
    fc.oneof(
      argv(fc.constantFrom("FORCE", "JUSTID", "force", "FOO")),
      argv("IDLE", fc.constantFrom("0", "100000", "-1", "x", "9223372036854775807")),
      argv("TIME", fc.constantFrom("1000", "-1", "x", "9223372036854775807")),
      argv("RETRYCOUNT", count),
      argv("LASTID", id),
      argv(fc.constantFrom("IDLE", "TIME", "RETRYCOUNT", "LASTID")),
    ),
    { maxLength: 2 },
  )
  .map((all) => all.flat())
const pending = fc.oneof(
  argv("XACK", key, group, many(id)),
  argv("XPENDING", key, group),
  argv("XPENDING", key, group, maybe("IDLE", minIdle), bound, bound, count, fc.oneof(argv(), argv(consumer))),
  argv("XPENDING", key, group, many(fc.constantFrom("IDLE", "0", "-", "+", "1"), 7)),
  argv("XCLAIM", key, group, consumer, minIdle, many(id), claimOptions),
  argv("XCLAIM", key, "g", consumer, "0", many(plainId), claimOptions),
  argv("XAUTOCLAIM", key, group, consumer, minIdle, bound, maybe("COUNT", count), option("JUSTID", "FOO")),
)
const looking = fc.oneof(
  argv("XINFO", "STREAM", key),
  argv("XINFO", "STREAM", key, "FULL", maybe("COUNT", count)),
  argv("XINFO", "STREAM", key, many(fc.constantFrom("FULL", "COUNT", "1", "FOO"), 4)),
  argv("XINFO", "GROUPS", key),
  argv("XINFO", "CONSUMERS", key, group),
  argv("XSETID", key, id, maybe("ENTRIESADDED", count), maybe("MAXDELETEDID", id)),
  argv("XSETID", key, fc.constantFrom("8-1", "9-9")),
)
const settings = fc.oneof(
  argv("CONFIG", "SET", "stream-node-max-entries", fc.constantFrom("1", "3", "3", "100", "0")),
  argv("CONFIG", "SET", "stream-node-max-bytes", fc.constantFrom("0", "60", "4096", "4096")),
)

const isNow = (text: string): boolean => /^1[6-9]\d{11}-\d+$/.test(text)
const now: Reply = { _tag: "Simple", value: "now" }
const hasNow = (reply: Reply): boolean =>
  reply._tag === "Bulk"
    ? isNow(reply.value)
    : reply._tag === "Array"
      ? reply.values.some(hasNow)
      : reply._tag === "Map" && reply.entries.some(hasNow)
/** Requests take well under this time; idle times that were asked for are far above. */
const idleMsMax = 20_000

/** Without what the clock decides: generated ids, times, idle times, and the shape of a radix tree over generated ids. */
const timeless = (reply: Reply, generated = hasNow(reply)): Reply => {
  if (reply._tag === "Bulk") return isNow(reply.value) ? now : reply
  if (reply._tag === "Int") return reply.value > 1.6e12 && reply.value < 2e12 ? now : reply
  if (reply._tag !== "Array" && reply._tag !== "Map") return reply
  const values = (reply._tag === "Array" ? reply.values : reply.entries).map((one, index, all): Reply => {
    const before = all[index - 1]
    const name = before?._tag === "Bulk" ? before.value : ""
    const isIdle =
      name === "idle" || (all.length === 4 && index === 2 && all[1]!._tag === "Bulk" && all[3]!._tag === "Int")
    if (one._tag === "Int" && isIdle) return { _tag: "Int", value: Math.floor(Number(one.value) / idleMsMax) }
    return generated && name === "radix-tree-nodes" ? now : timeless(one, generated)
  })
  return reply._tag === "Array" ? { _tag: "Array", values } : { _tag: "Map", entries: values }
}

export const streamsFamily: Family = {
  name: "streams",
  command: fc.oneof(
    { weight: 10, arbitrary: adding },
    { weight: 3, arbitrary: removing },
    { weight: 3, arbitrary: ranges },
    { weight: 8, arbitrary: reading },
    { weight: 5, arbitrary: grouping },
    { weight: 8, arbitrary: pending },
    { weight: 4, arbitrary: looking },
    { weight: 1, arbitrary: settings },
    { weight: 1, arbitrary: argv("HELLO", fc.constantFrom("2", "3")) },
  ),
  ignored: (request) => request[0] === "HELLO",
  normalize: (reply) => timeless(withoutAdditions(reply)),
}
