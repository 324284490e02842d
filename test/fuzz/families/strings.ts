/**
 * Random requests of the string family. Absolute times stay far in the future, because ours counts from 1970 under the
 * virtual clock.
 */
import * as fc from "fast-check"
import { argv, type Family, float, integer, key, many, maybe, value } from "../Fuzz.ts"

const amount = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom("1000", "20000", "300000") },
  {
    weight: 1,
    arbitrary: fc.constantFrom("0", "-1", "x", "", "9223372036854775807", "9223372036854776"),
  },
)
const setOption = fc.oneof(
  argv(fc.constantFrom("NX", "XX", "GET", "KEEPTTL", "nx", "Get", "PERSIST", "FOO")),
  argv(fc.constantFrom("EX", "ex"), amount),
  argv(fc.constantFrom("PX"), fc.constantFrom("10000000", "0", "x", "9223372036854775807")),
  argv(fc.constantFrom("EXAT", "PXAT"), fc.constantFrom("0", "x", "-5", "9223372036854775808")),
)
const options = (option: typeof setOption, max: number) =>
  fc.array(option, { maxLength: max }).map((words) => words.flat())
const getexOption = fc.oneof(
  argv(fc.constantFrom("PERSIST", "persist", "NX", "KEEPTTL")),
  argv(fc.constantFrom("EX", "PX"), amount),
)

/** Words that have something in common, for LCS. */
const similar = fc
  .array(fc.constantFrom("a", "b", "ab", "ba", "\x00"), { maxLength: 24 })
  .map((parts) => parts.join(""))
const lcsOption = fc.oneof(
  argv(fc.constantFrom("LEN", "IDX", "idx", "WITHMATCHLEN")),
  argv("MINMATCHLEN", fc.constantFrom("0", "1", "2", "3", "-1", "x")),
)
const increment = fc.oneof(
  { weight: 3, arbitrary: integer },
  fc.constantFrom("9223372036854775806", "-9223372036854775807", "4611686018427387904"),
)
const number = fc.oneof(
  increment,
  float,
  fc.constantFrom("9007199254740991", "9007199254740992", "-9007199254740993", "3.0e3", "1e17", "5e-18"),
)
const pair = fc.oneof(argv(key, value), argv(key, number), argv(key, similar))

export const strings: Family = {
  name: "strings",
  command: fc.oneof(
    argv("SET", key, value, options(setOption, 3)),
    argv("SET", key, number),
    argv("SET", key, similar),
    argv("GET", key),
    argv("GETSET", key, value),
    argv("GETDEL", key),
    argv("GETEX", key, options(getexOption, 2)),
    argv("SETNX", key, value),
    argv("SETEX", key, amount, value),
    argv("PSETEX", key, fc.constantFrom("10000000", "0", "x"), value),
    argv("APPEND", key, fc.oneof(value, similar)),
    argv("STRLEN", key),
    argv("GETRANGE", key, integer, integer),
    argv("SUBSTR", key, integer, integer),
    argv(
      "SETRANGE",
      key,
      fc.oneof(
        { weight: 8, arbitrary: fc.integer({ min: 0, max: 60 }).map(String) },
        // One less would make a value of 512 MB, and every reply with it takes longer than all the rest.
        fc.constantFrom("-1", "x", "536870912", "9223372036854775807"),
      ),
      value,
    ),
    argv("INCR", key),
    argv("DECR", key),
    argv("INCRBY", key, increment),
    argv("DECRBY", key, increment),
    argv("INCRBYFLOAT", key, number),
    argv("MGET", many(key)),
    argv(
      "MSET",
      fc.array(pair, { minLength: 1, maxLength: 3 }).map((words) => words.flat()),
      maybe("odd"),
    ),
    argv(
      "MSETNX",
      fc.array(pair, { minLength: 1, maxLength: 2 }).map((words) => words.flat()),
    ),
    argv("ZADD", key, "1", "x"),
    argv("LCS", key, key, options(lcsOption, 3)),
  ),
}
