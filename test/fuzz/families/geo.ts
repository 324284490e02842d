/**
 * Random requests of the geo family: places all over the globe, crowded in one region, and on the edges of the grid. Distances
 * are stored where nobody reads them: their last digit is the C library's choice.
 */
import * as fc from "fast-check"
import { argv, type Family, float, key, many, maybe, thresholds } from "../Fuzz.ts"

const member = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 60 }).map((n) => `m${n}`) },
  { weight: 1, arbitrary: fc.constantFrom("", "x", "\x00\xff", "Palermo") },
)
const degrees = (max: number) => fc.integer({ min: -max * 1000, max: max * 1000 }).map((n) => String(n / 1000))
const near = (center: number) => fc.integer({ min: -2000, max: 2000 }).map((n) => String(center + n / 1000))
const place = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(degrees(180), degrees(85)) },
  { weight: 5, arbitrary: fc.tuple(near(13), near(38)) },
  { weight: 1, arbitrary: fc.tuple(near(-70), near(-33)) },
  {
    weight: 2,
    arbitrary: fc.tuple(
      fc.constantFrom("180", "-180", "0", "179.9999", "-179.9999", "90", "181"),
      fc.constantFrom("85.05112878", "-85.05112878", "0", "85", "-85", "86", "45"),
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom(["x", "1"], ["1", "y"], ["nan", "1"], ["inf", "1"], ["-0", "1e300"]) },
)
const unit = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom("m", "km", "ft", "mi", "KM") },
  { weight: 1, arbitrary: fc.constantFrom("cm", "") },
)
const length = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 2000 }).map(String) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 300 }).map((n) => String(n / 7)) },
  { weight: 3, arbitrary: fc.constantFrom("10000", "5000000", "20000000", "1e9", "0.0001") },
  { weight: 1, arbitrary: fc.constantFrom("-1", "x", "inf", "nan", "0") },
)
const count = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 1, max: 12 }).map(String) },
  { weight: 1, arbitrary: fc.constantFrom("0", "-1", "x", "1000") },
)
const option = fc.oneof(
  fc.constantFrom(["WITHCOORD"], ["WITHDIST"], ["WITHHASH"], ["ASC"], ["DESC"], ["asc"], ["WITHDIST", "WITHCOORD"]),
  fc.tuple(fc.constant("COUNT"), count),
  fc.tuple(fc.constant("COUNT"), count, fc.constant("ANY")),
)
const rare = fc.oneof(fc.constantFrom(["ANY"], ["FOO"], ["COUNT"], ["STORE"]))
const options = fc
  .array(fc.oneof({ weight: 12, arbitrary: option }, { weight: 1, arbitrary: rare }), { maxLength: 3 })
  .map((all) => all.flat())
const storing = fc.oneof(
  { weight: 8, arbitrary: fc.constant<ReadonlyArray<string>>([]) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("STORE"), key) },
  { weight: 1, arbitrary: fc.constant(["STOREDIST", "distances"]) },
)
const placed = fc.array(fc.tuple(place, member), { minLength: 1, maxLength: 6 }).map((all) => all.flat(2))
/** Enough places in one region for sorting to matter, some of them the same. */
const crowd = fc
  .integer({ min: 20, max: 60 })
  .map((size) =>
    Array.from({ length: size }, (_, i) => [
      String(13 + ((i * 7) % 19) / 10),
      String(38 + ((i * 5) % 11) / 10),
      `m${i}`,
    ]).flat(),
  )
const center = fc.oneof(
  { weight: 2, arbitrary: fc.tuple(fc.constant("FROMMEMBER"), member) },
  { weight: 3, arbitrary: place.map((words) => ["FROMLONLAT", ...words]) },
)
const shape = fc.oneof(
  fc.tuple(fc.constant("BYRADIUS"), length, unit),
  fc.tuple(fc.constant("BYBOX"), length, length, unit),
)
const where = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(center, shape).map((parts) => parts.flat()) },
  { weight: 2, arbitrary: fc.tuple(shape, center).map((parts) => parts.flat()) },
  { weight: 1, arbitrary: fc.tuple(center, center, shape).map((parts) => parts.flat()) },
  { weight: 1, arbitrary: fc.tuple(center, shape, shape).map((parts) => parts.flat()) },
)

export const geo: Family = {
  name: "geo",
  command: fc.oneof(
    { weight: 4, arbitrary: argv("GEOADD", key, placed) },
    { weight: 1, arbitrary: argv("GEOADD", key, maybe(fc.constantFrom("NX", "XX")), maybe("CH"), placed) },
    { weight: 2, arbitrary: argv("GEOADD", key, crowd) },
    { weight: 1, arbitrary: argv("ZADD", key, float, member) },
    { weight: 1, arbitrary: argv("ZREM", key, member) },
    { weight: 2, arbitrary: argv("GEODIST", key, member, member, maybe(unit)) },
    { weight: 1, arbitrary: argv("GEOHASH", key, many(member)) },
    { weight: 1, arbitrary: argv("GEOPOS", key, many(member)) },
    { weight: 4, arbitrary: argv("GEOSEARCH", key, where, options) },
    { weight: 2, arbitrary: argv("GEOSEARCHSTORE", key, key, where, options) },
    { weight: 1, arbitrary: argv("GEOSEARCHSTORE", "distances", key, where, options, "STOREDIST") },
    { weight: 1, arbitrary: fc.constant(["ZCARD", "distances"]) },
    {
      weight: 2,
      arbitrary: argv(
        "GEORADIUS",
        key,
        place.map((words) => [...words]),
        length,
        unit,
        options,
        storing,
      ),
    },
    {
      weight: 1,
      arbitrary: argv(
        "GEORADIUS_RO",
        key,
        place.map((words) => [...words]),
        length,
        unit,
        options,
      ),
    },
    { weight: 2, arbitrary: argv("GEORADIUSBYMEMBER", key, member, length, unit, options, storing) },
    { weight: 1, arbitrary: argv("GEORADIUSBYMEMBER_RO", key, member, length, unit, options) },
    { weight: 1, arbitrary: fc.constantFrom(["HELLO", "3"], ["HELLO", "2"]) },
    { weight: 1, arbitrary: thresholds("zset-max-listpack-entries") },
  ),
  ignored: ([name]) => name === "HELLO",
  unread: ["distances"],
}
