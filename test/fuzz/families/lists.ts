/** Random requests of the list family: short lists, long ones in one step, elements too long to be packed. */
import * as fc from "fast-check"
import { argv, type Family, integer, key, many, maybe, value } from "../Fuzz.ts"

const element = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("a", "b", "c", "d", "", "10", "-1") },
  { weight: 2, arbitrary: value },
  { weight: 1, arbitrary: fc.integer({ min: 250, max: 260 }).map((length) => "l".repeat(length)) },
)
/** Enough elements to leave one packed string behind: one number draws them all. */
const manyElements = fc
  .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 60, max: 200 }), fc.boolean())
  .map(([kinds, count, isLong]) =>
    Array.from({ length: count }, (_, n) => `${"abcdef"[n % kinds]}${isLong && n % 50 === 0 ? "x".repeat(300) : ""}`),
  )
const end = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom("LEFT", "RIGHT", "left", "Right") },
  fc.constant("MIDDLE"),
)
const where = fc.oneof({ weight: 12, arbitrary: fc.constantFrom("BEFORE", "AFTER", "after") }, fc.constant("NEAR"))
const index = fc.oneof(
  { weight: 3, arbitrary: integer },
  { weight: 1, arbitrary: fc.integer({ min: -300, max: 300 }).map(String) },
)
const search = fc.oneof(
  argv("RANK", fc.oneof(integer, fc.integer({ min: -40, max: 40 }).map(String))),
  argv("COUNT", integer),
  argv("MAXLEN", fc.oneof(integer, fc.integer({ min: 0, max: 200 }).map(String))),
  argv(fc.constantFrom("RANK", "COUNT", "FOO")),
)
const options = (max: number) => fc.array(search, { maxLength: max }).map((words) => words.flat())
const keys = fc
  .tuple(many(key, 3), fc.constantFrom(0, 0, 0, 0, 0, 1, -1))
  .map(([names, wrong]) => [String(names.length + wrong), ...names])
/** Short, because a request that waits holds up the whole conversation. */
const timeout = fc.constantFrom("0.001", "0.001", "1e-3", "-1", "x", "", "nan", "inf")

export const lists: Family = {
  name: "lists",
  command: fc.oneof(
    { weight: 2, arbitrary: argv(fc.constantFrom("LPUSH", "RPUSH", "LPUSHX", "RPUSHX"), key, many(element)) },
    { weight: 2, arbitrary: argv(fc.constantFrom("LPUSH", "RPUSH"), key, manyElements) },
    argv(fc.constantFrom("LPOP", "RPOP"), key),
    argv(fc.constantFrom("LPOP", "RPOP"), key, index, maybe("more")),
    argv("LLEN", key),
    argv("CONFIG", "SET", "list-max-listpack-size", fc.constantFrom("-2", "-2", "-1", "1", "3", "64")),
    argv("LINDEX", key, index),
    argv("LRANGE", key, index, index),
    argv("LINSERT", key, where, element, element),
    argv("LSET", key, index, element),
    argv("LTRIM", key, index, index),
    argv("LREM", key, integer, element),
    argv("LPOS", key, element, options(3)),
    argv("LMOVE", key, key, end, end),
    argv("RPOPLPUSH", key, key),
    argv("LMPOP", keys, end, maybe("COUNT", integer)),
    argv(fc.constantFrom("BLPOP", "BRPOP"), many(key, 3), timeout),
    argv("BLMOVE", key, key, end, end, timeout),
    argv("BRPOPLPUSH", key, key, timeout),
    argv("BLMPOP", timeout, keys, end, maybe("COUNT", integer)),
  ),
}
