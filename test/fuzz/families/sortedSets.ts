/**
 * Random requests of the sorted-set family. Ranges by member are drawn for one key alone, in which all scores are equal: where
 * they are not, the answer of a skiplist is chance.
 */
import * as fc from "fast-check"
import { argv, type Family, float, integer, key, many, maybe, thresholds, value } from "../Fuzz.ts"

const member = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("a", "b", "c", "d", "e", "f", "g", "aa", "ab", "ba") },
  { weight: 1, arbitrary: value },
)
const scored = fc.tuple(float, member)
const pairs = fc.array(scored, { minLength: 1, maxLength: 5 }).map((all) => all.flat())
/** More members than a listpack keeps. */
const crowd = fc
  .integer({ min: 100, max: 150 })
  .map((count) => Array.from({ length: count }, (_, i) => [String(i % 7), `m${i}`]).flat())
const lexKey = fc.constant("l")
const lexPairs = fc.array(member, { minLength: 1, maxLength: 5 }).map((members) => members.flatMap((one) => ["0", one]))
const option = (...words: ReadonlyArray<string>): fc.Arbitrary<ReadonlyArray<string>> =>
  fc.oneof(
    fc.constant<ReadonlyArray<string>>([]),
    fc.constantFrom(...words).map((word) => [word]),
  )
const scoreBound = fc.oneof(
  { weight: 4, arbitrary: float },
  { weight: 2, arbitrary: float.map((word) => `(${word}`) },
  { weight: 1, arbitrary: fc.constantFrom("-inf", "+inf", "(-inf", "(inf", "(", "((1", " 1", "1 ", "0x10", "1\0z") },
)
const lexBound = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(fc.constantFrom("[", "("), member).map(([side, word]) => side + word) },
  { weight: 1, arbitrary: fc.constantFrom("-", "+", "[", "(", "", "x", "(+", "[-") },
)
const limit = maybe("LIMIT", integer, integer)
const withScores = option("WITHSCORES", "withscores", "WITHSCORE")
const counted = fc.oneof(
  { weight: 8, arbitrary: fc.array(key, { minLength: 1, maxLength: 3 }).map((keys) => [String(keys.length), ...keys]) },
  { weight: 1, arbitrary: fc.tuple(integer, key) },
)
const weights = fc.oneof(
  { weight: 2, arbitrary: fc.constant<ReadonlyArray<string>>([]) },
  { weight: 2, arbitrary: fc.array(float, { minLength: 1, maxLength: 3 }).map((all) => ["WEIGHTS", ...all]) },
)
const aggregate = fc.oneof(
  { weight: 2, arbitrary: fc.constant<ReadonlyArray<string>>([]) },
  { weight: 3, arbitrary: fc.constantFrom("SUM", "MIN", "MAX", "max").map((word) => ["AGGREGATE", word]) },
  { weight: 1, arbitrary: fc.constantFrom(["AGGREGATE"], ["AGGREGATE", "AVG"], ["FOO"]) },
)
const end = fc.constantFrom("MIN", "MAX", "min", "FOO")
/** Only on keys that may hold something, and with a short time, so that nothing waits. */
const timeout = fc.constantFrom("0.001", "x", "-1", "inf", "1e30")

const adding = fc.oneof(
  {
    weight: 6,
    arbitrary: argv("ZADD", key, option("NX", "XX"), option("GT", "LT"), option("CH"), option("INCR"), pairs),
  },
  { weight: 4, arbitrary: argv("ZADD", key, pairs) },
  { weight: 1, arbitrary: argv("ZADD", key, crowd) },
  { weight: 2, arbitrary: argv("ZINCRBY", key, float, member) },
  { weight: 1, arbitrary: argv("ZADD", lexKey, lexPairs) },
  { weight: 1, arbitrary: argv("SADD", key, many(member)) },
)

const reading = fc.oneof(
  argv("ZCARD", key),
  argv("ZCOUNT", key, scoreBound, scoreBound),
  argv("ZLEXCOUNT", lexKey, lexBound, lexBound),
  argv("ZSCORE", key, member),
  argv("ZMSCORE", key, many(member)),
  argv("ZRANK", key, member),
  argv("ZREVRANK", key, member),
  argv("ZRANDMEMBER", key, integer, withScores),
  argv(
    "ZSCAN",
    key,
    fc.constantFrom("0", "x"),
    maybe("MATCH", fc.constantFrom("*", "a*", "?")),
    maybe("COUNT", integer),
  ),
)

const ranges = fc.oneof(
  argv("ZRANGE", key, integer, integer, option("REV"), withScores, limit),
  argv("ZRANGE", key, scoreBound, scoreBound, "BYSCORE", option("REV"), limit, withScores),
  argv("ZRANGE", lexKey, lexBound, lexBound, "BYLEX", option("REV"), limit, withScores),
  argv("ZREVRANGE", key, integer, integer, withScores),
  argv("ZRANGEBYSCORE", key, scoreBound, scoreBound, limit, withScores),
  argv("ZREVRANGEBYSCORE", key, scoreBound, scoreBound, withScores, limit),
  argv("ZRANGEBYLEX", lexKey, lexBound, lexBound, limit),
  argv("ZREVRANGEBYLEX", lexKey, lexBound, lexBound, limit),
  argv("ZRANGESTORE", key, key, integer, integer, option("REV", "WITHSCORES")),
  argv("ZRANGESTORE", key, key, scoreBound, scoreBound, "BYSCORE", option("REV"), limit),
  argv("ZRANGESTORE", key, lexKey, lexBound, lexBound, "BYLEX", option("REV"), limit),
)

const removing = fc.oneof(
  argv("ZREM", key, many(member)),
  argv("ZREMRANGEBYRANK", key, integer, integer),
  argv("ZREMRANGEBYSCORE", key, scoreBound, scoreBound),
  argv("ZREMRANGEBYLEX", lexKey, lexBound, lexBound),
  argv("ZPOPMIN", key, maybe(integer)),
  argv("ZPOPMAX", key, maybe(integer)),
  argv("ZMPOP", counted, end, maybe("COUNT", integer)),
  argv("BZPOPMIN", many(key, 2), timeout),
  argv("BZPOPMAX", many(key, 2), timeout),
  argv("BZMPOP", timeout, counted, end, maybe("COUNT", integer)),
)

const combining = fc.oneof(
  argv("ZUNION", counted, weights, aggregate, withScores),
  argv("ZINTER", counted, weights, aggregate, withScores),
  argv("ZDIFF", counted, withScores),
  argv("ZUNIONSTORE", key, counted, weights, aggregate),
  argv("ZINTERSTORE", key, counted, aggregate, weights),
  argv("ZDIFFSTORE", key, counted),
  argv("ZINTERCARD", counted, maybe("LIMIT", integer)),
)

export const sortedSets: Family = {
  name: "sortedSets",
  command: fc.oneof(
    { weight: 5, arbitrary: adding },
    { weight: 2, arbitrary: reading },
    { weight: 4, arbitrary: ranges },
    { weight: 2, arbitrary: removing },
    { weight: 3, arbitrary: combining },
    { weight: 1, arbitrary: fc.constantFrom(["HELLO", "3"], ["HELLO", "2"]) },
    { weight: 1, arbitrary: thresholds("zset-max-listpack-entries", "zset-max-ziplist-value") },
  ),
  ignored: ([name]) => name === "ZRANDMEMBER" || name === "HELLO" || name === "ZSCAN",
}
