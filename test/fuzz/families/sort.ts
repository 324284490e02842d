/**
 * Random requests of SORT on lists, sets and sorted sets with keys to sort by. Numbers that no double holds are left out:
 * redis-server 7.0.15 refuses every number after one of them.
 */
import * as fc from "fast-check"
import { argv, type Family, integer, key, many } from "../Fuzz.ts"

const number = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -3, max: 12 }).map(String) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      "1.5",
      "01",
      "1.0",
      "+1",
      "0x2",
      "1e1",
      "inf",
      "-inf",
      "-0",
      " 3",
      "",
      "9007199254740993",
      "9223372036854775807",
      "2\0x",
    ),
  },
)
const word = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom("x", "y", "xy", "", "X", "\xff", "a\0b", "a\0a", "a", "10", "9") },
  {
    weight: 1,
    arbitrary: fc
      .array(fc.integer({ min: 0, max: 255 }), { maxLength: 3 })
      .map((bytes) => String.fromCharCode(...bytes)),
  },
)
/** Mostly numbers, so that sorting by them mostly succeeds. */
const element = fc.oneof({ weight: 30, arbitrary: number }, { weight: 1, arbitrary: word })
const crowd = fc.array(fc.integer({ min: 0, max: 60 }).map(String), { minLength: 8, maxLength: 60 })
const elements = fc.oneof(
  { weight: 4, arbitrary: many(element, 6) },
  { weight: 1, arbitrary: many(word, 6) },
  { weight: 1, arbitrary: crowd },
)
const scored = elements.map((all) => all.flatMap((member, i) => [String(i % 4), member]))

/** Few different weights, so that elements tie. */
const weights = fc
  .array(fc.tuple(fc.integer({ min: -3, max: 60 }), fc.oneof(fc.constantFrom("1", "2", "3"), number)), {
    minLength: 1,
    maxLength: 30,
  })
  .map((all) => all.flatMap(([n, weight]) => [`w_${n}`, weight]))
const labels = fc
  .array(fc.tuple(fc.integer({ min: -3, max: 60 }), word), { minLength: 1, maxLength: 30 })
  .map((all) => all.flatMap(([n, label]) => [`o_${n}`, label]))
const small = fc.integer({ min: -3, max: 12 }).map(String)

const pattern = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom("w_*", "o_*", "h_*->f", "h_*->g") },
  {
    weight: 1,
    arbitrary: fc.constantFrom("#", "nosort", "", "*", "w_*x", "h_*->", "h_*", "w_*->f", "#\0", "w_\0*", "**", "x->*"),
  },
)
const limit = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.tuple(fc.integer({ min: -1, max: 8 }).map(String), fc.integer({ min: -1, max: 8 }).map(String)),
  },
  { weight: 1, arbitrary: fc.tuple(integer, integer) },
)
const option = fc.oneof(
  { weight: 4, arbitrary: argv("BY", pattern) },
  { weight: 3, arbitrary: argv("GET", pattern) },
  { weight: 3, arbitrary: argv("LIMIT", limit) },
  { weight: 2, arbitrary: fc.constantFrom(["ASC"], ["DESC"], ["desc"]) },
  { weight: 3, arbitrary: fc.constantFrom(["ALPHA"], ["alpha"]) },
  { weight: 1, arbitrary: fc.constantFrom(["FOO"], ["BY"], ["LIMIT", "1"], ["STORE"]) },
)
const options = fc.array(option, { maxLength: 4 }).map((words) => words.flat())

/** Members in the order of chance, which shows where nothing is sorted and where members tie. */
const setKey = fc.constant("s")
const sortSet = fc.oneof(
  argv("SORT", setKey, fc.constantFrom<ReadonlyArray<string>>([], ["ALPHA", "STORE", "d"], ["DESC"])),
  argv(
    "SORT",
    setKey,
    "BY",
    "w_*",
    fc.constantFrom<ReadonlyArray<string>>([], ["LIMIT", "1", "3"], ["DESC", "STORE", "d"]),
  ),
  argv("SORT", setKey, "BY", "nosort", "STORE", key),
)
/** The same, but for their scores. */
const zsetKey = fc.constant("z")
const sortZset = fc.oneof(
  argv(
    "SORT",
    zsetKey,
    fc.constantFrom<ReadonlyArray<string>>([], ["ALPHA", "STORE", "d"], ["DESC", "LIMIT", "0", "2"]),
  ),
  argv(
    "SORT",
    zsetKey,
    "BY",
    "w_*",
    fc.constantFrom<ReadonlyArray<string>>([], ["LIMIT", "1", "3"], ["DESC", "STORE", "d"]),
  ),
  argv(
    "SORT",
    zsetKey,
    "BY",
    "nosort",
    fc.oneof(fc.constant<ReadonlyArray<string>>([]), argv("LIMIT", limit)),
    fc.constantFrom<ReadonlyArray<string>>([], ["DESC"], ["STORE", "d"]),
  ),
)

export const sort: Family = {
  name: "sort",
  command: fc.oneof(
    { weight: 4, arbitrary: argv("RPUSH", key, elements) },
    { weight: 1, arbitrary: argv("SADD", setKey, elements) },
    { weight: 2, arbitrary: argv("ZADD", zsetKey, scored) },
    { weight: 2, arbitrary: argv("MSET", weights) },
    { weight: 2, arbitrary: argv("MSET", labels) },
    {
      weight: 2,
      arbitrary: argv(
        "HSET",
        small.map((n) => `h_${n}`),
        "f",
        number,
        "g",
        word,
      ),
    },
    {
      weight: 1,
      arbitrary: argv(
        "DEL",
        small.map((n) => `w_${n}`),
      ),
    },
    { weight: 8, arbitrary: argv("SORT", key, options) },
    { weight: 3, arbitrary: argv("SORT", key, options, "STORE", key) },
    { weight: 3, arbitrary: argv("SORT_RO", key, options) },
    { weight: 2, arbitrary: sortSet },
    { weight: 2, arbitrary: sortZset },
    { weight: 1, arbitrary: argv("OBJECT", "ENCODING", fc.constantFrom("a", "z")) },
  ),
}
