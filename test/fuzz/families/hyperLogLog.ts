/** Random requests of the HyperLogLog family: enough elements to leave the sparse form, damaged values among them. */
import * as fc from "fast-check"
import { argv, type Family, key, many, value } from "../Fuzz.ts"

const element = fc.oneof(
  fc.integer({ min: 0, max: 100_000 }).map(String),
  fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 20 }).map((bytes) => String.fromCharCode(...bytes)),
)
/** A run of elements: one number draws them all. */
const manyElements = fc
  .tuple(fc.integer({ min: 0, max: 1_000_000 }), fc.integer({ min: 1, max: 1200 }))
  .map(([first, count]) => Array.from({ length: count }, (_, n) => `element:${first + n}`))
/**
 * Opcodes of the sparse form behind a header, adding up or not. None is cut in half at the end, here and below: what
 * redis-server takes for its second byte is whatever its memory holds.
 */
const forged = fc
  .tuple(
    fc.constantFrom("\x01", "\x01", "\x00", "\x02"),
    fc.constantFrom("\x00", "\x80"),
    fc.array(fc.constantFrom("\x7f\xff", "\x40\x00", "\x40\xff", "\x00", "\x3f", "\x80", "\xff", "\x84", "\x7f\xfe"), {
      maxLength: 6,
    }),
  )
  .map(
    ([encoding, stale, opcodes]) =>
      `HYLL${encoding}\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00${stale}${opcodes.join("")}`,
  )

export const hyperLogLog: Family = {
  name: "hyperLogLog",
  command: fc.oneof(
    { weight: 4, arbitrary: argv("PFADD", key, many(element, 8)) },
    { weight: 2, arbitrary: argv("PFADD", key, manyElements) },
    { weight: 1, arbitrary: argv("PFADD", key) },
    { weight: 3, arbitrary: argv("PFCOUNT", many(key, 3)) },
    { weight: 3, arbitrary: argv("PFMERGE", many(key, 3)) },
    { weight: 2, arbitrary: argv("GET", key) },
    {
      weight: 2,
      arbitrary: argv("PFDEBUG", fc.constantFrom("DECODE", "ENCODING", "TODENSE", "GETREG", "decode", "FOO"), key),
    },
    { weight: 1, arbitrary: argv("SET", key, forged) },
    {
      weight: 1,
      arbitrary: argv(
        "SETRANGE",
        key,
        fc.constantFrom("8", "15", "16", "17", "18"),
        fc.constantFrom("\x00", "\x80", "\xff", "\x7f\x00"),
      ),
    },
    {
      weight: 1,
      arbitrary: argv(
        "APPEND",
        key,
        value.map((bytes) => `${bytes}\x00`),
      ),
    },
    { weight: 1, arbitrary: argv("ZADD", key, "1", "x") },
    {
      weight: 1,
      arbitrary: argv("CONFIG", "SET", "hll-sparse-max-bytes", fc.constantFrom("3000", "3000", "100", "0", "16000")),
    },
  ),
}
