/** Sorted sets of n members: one member, a range, both ends, and with another set; places on the globe among them. */
import { at, comesAndGoes, type Family, fillWith, fixed, member, named, together } from "./Case.ts"

const filled: Family["fill"] = async (client, n) => {
  await fillWith(["ZADD", "k"], (index) => [String(index), member(index)])(client, n)
  await client.call("ZADD", "few", "1", member(1), "2", member(2), "3", "other")
}
/** Members of one score, for ranges by member. */
const lexFilled: Family["fill"] = fillWith(["ZADD", "k"], (index) => ["0", member(index)])

const members: Family = {
  name: "zsets",
  fill: filled,
  cases: [
    at("ZSCORE", "O(1)", (i) => ["ZSCORE", "k", member(i)]),
    at("ZMSCORE of 2", "O(1)", (i) => ["ZMSCORE", "k", member(i), member(i >> 1)]),
    // Another score each time that a member's turn comes.
    named("ZADD", "O(log N)", (round, n) => [
      ["ZADD", "k", String((round * 31) % (n + 1)), member((round * 7919) % n)],
    ]),
    at("ZINCRBY", "O(log N)", (i) => ["ZINCRBY", "k", "1.5", member(i)]),
    at("ZRANK", "O(log N)", (i) => ["ZRANK", "k", member(i)]),
    at("ZREVRANK", "O(log N)", (i) => ["ZREVRANK", "k", member(i)]),
    together("O(log N)", (i) => [
      ["ZADD", "k", String(i), `rem${i}`],
      ["ZREM", "k", `rem${i}`],
    ]),
    comesAndGoes(["ZADD", "k", "5", "lock"], ["ZREM", "k", "lock"]),
    fixed("O(1)", "ZCARD", "k"),
    fixed("O(1)", "ZRANDMEMBER", "k"),
    fixed("O(1)", "ZRANDMEMBER", "k", "-10"),
    named("ZSCAN COUNT 10", "O(1)", () => [["ZSCAN", "k", "0", "COUNT", "10"]]),
    together("O(log N)", (i) => [
      ["ZADD", "k", String(i), `pop${i}`],
      ["ZPOPMIN", "k"],
    ]),
    together("O(log N)", (i) => [
      ["ZADD", "k", String(i), `top${i}`],
      ["ZPOPMAX", "k"],
    ]),
    together("O(log N)", (i) => [
      ["ZADD", "k", String(i), `mpop${i}`],
      ["ZMPOP", "1", "k", "MIN"],
    ]),
    together("O(log N)", (i) => [
      ["ZADD", "k", String(i), `bpop${i}`],
      ["BZPOPMIN", "k", "1"],
    ]),
    together("O(log N)", (i) => [
      ["ZADD", "k", String(i), `btop${i}`],
      ["BZPOPMAX", "k", "1"],
    ]),
    together("O(log N)", (i) => [
      ["ZADD", "k", String(i), `bmpop${i}`],
      ["BZMPOP", "1", "1", "k", "MIN"],
    ]),
  ],
}

const ranges: Family = {
  name: "ranges of zsets",
  fill: filled,
  cases: [
    at("ZRANGE of 10 by rank", "O(log N)", (i) => ["ZRANGE", "k", String(i), String(i + 9)]),
    at("ZRANGE of 10 by score", "O(log N)", (i) => ["ZRANGE", "k", String(i), "inf", "BYSCORE", "LIMIT", "0", "10"]),
    at("ZREVRANGE of 10", "O(log N)", (i) => ["ZREVRANGE", "k", String(i), String(i + 9)]),
    at("ZRANGEBYSCORE of 10", "O(log N)", (i) => ["ZRANGEBYSCORE", "k", String(i), "inf", "LIMIT", "0", "10"]),
    at("ZREVRANGEBYSCORE of 10", "O(log N)", (i) => ["ZREVRANGEBYSCORE", "k", String(i), "-inf", "LIMIT", "0", "10"]),
    at("ZRANGESTORE of 10", "O(log N)", (i) => ["ZRANGESTORE", "d", "k", String(i), String(i + 9)]),
    at("ZCOUNT", "O(log N)", (i) => ["ZCOUNT", "k", String(i), "inf"]),
    together("O(log N)", (i) => [
      ["ZADD", "k", "500.5", `cut${i}`],
      ["ZREMRANGEBYRANK", "k", "500", "500"],
    ]),
    together("O(log N)", (i) => [
      ["ZADD", "k", "0.5", `cut${i}`],
      ["ZREMRANGEBYSCORE", "k", "0.5", "0.5"],
    ]),
    fixed("O(N)", "ZRANGE", "k", "0", "-1"),
    fixed("O(N)", "ZRANGE", "k", "0", "-1", "WITHSCORES"),
    fixed("O(N)", "DUMP", "k"),
  ],
}

const lexRanges: Family = {
  name: "ranges by member",
  fill: lexFilled,
  cases: [
    at("ZRANGE of 10 by member", "O(log N)", (i) => [
      ...["ZRANGE", "k", `[${member(i)}`, "+", "BYLEX", "LIMIT", "0", "10"],
    ]),
    at("ZRANGEBYLEX of 10", "O(log N)", (i) => ["ZRANGEBYLEX", "k", `[${member(i)}`, "+", "LIMIT", "0", "10"]),
    at("ZREVRANGEBYLEX of 10", "O(log N)", (i) => ["ZREVRANGEBYLEX", "k", `[${member(i)}`, "-", "LIMIT", "0", "10"]),
    at("ZLEXCOUNT", "O(log N)", (i) => ["ZLEXCOUNT", "k", `[${member(i)}`, "+"]),
    together("O(log N)", (i) => [
      ["ZADD", "k", "0", `new${i}`],
      ["ZREMRANGEBYLEX", "k", `[new${i}`, `[new${i}`],
    ]),
  ],
}

const combining: Family = {
  name: "several zsets",
  fill: filled,
  cases: [
    named("ZINTER with few", "O(1)", () => [["ZINTER", "2", "k", "few"]]),
    named("ZINTERCARD with few", "O(1)", () => [["ZINTERCARD", "2", "k", "few"]]),
    named("ZINTERSTORE with few", "O(1)", () => [["ZINTERSTORE", "d", "2", "k", "few"]]),
    named("ZDIFF of few", "O(1)", () => [["ZDIFF", "2", "few", "k"]]),
    named("ZDIFFSTORE of few", "O(1)", () => [["ZDIFFSTORE", "d", "2", "few", "k"]]),
    named("ZUNION with few", "O(N log N)", () => [["ZUNION", "2", "k", "few"]]),
    named("ZINTER with itself", "O(N log N)", () => [["ZINTER", "2", "k", "k"]]),
    named("ZUNIONSTORE with few, UNLINK", "O(N log N)", () => [
      ["ZUNIONSTORE", "d", "2", "k", "few"],
      ["UNLINK", "d"],
    ]),
  ],
}

/** Places on a grid of a thousand columns, so that an area of one size holds as many of them whatever n is. */
const place = (index: number): ReadonlyArray<string> => [
  String(((index % 1000) - 500) / 4),
  String(((((index / 1000) | 0) % 1024) - 512) / 8),
]

const geo: Family = {
  name: "geo",
  fill: fillWith(["GEOADD", "k"], (index) => [...place(index), member(index)]),
  cases: [
    at("GEOADD", "O(log N)", (i) => ["GEOADD", "k", ...place(i), member(i)]),
    at("GEOPOS", "O(1)", (i) => ["GEOPOS", "k", member(i)]),
    at("GEOHASH", "O(1)", (i) => ["GEOHASH", "k", member(i)]),
    at("GEODIST", "O(1)", (i) => ["GEODIST", "k", member(i), member(i >> 1)]),
    at("GEOSEARCH of few", "O(log N)", (i) => ["GEOSEARCH", "k", "FROMMEMBER", member(i), "BYRADIUS", "10", "km"]),
    at("GEOSEARCHSTORE of few", "O(log N)", (i) => [
      ...["GEOSEARCHSTORE", "d", "k", "FROMMEMBER", member(i), "BYBOX", "10", "10", "km"],
    ]),
    at("GEORADIUS of few", "O(log N)", (i) => ["GEORADIUS", "k", ...place(i), "10", "km"]),
    at("GEORADIUS_RO of few", "O(log N)", (i) => ["GEORADIUS_RO", "k", ...place(i), "10", "km"]),
    at("GEORADIUSBYMEMBER of few", "O(log N)", (i) => ["GEORADIUSBYMEMBER", "k", member(i), "10", "km"]),
    at("GEORADIUSBYMEMBER_RO of few", "O(log N)", (i) => ["GEORADIUSBYMEMBER_RO", "k", member(i), "10", "km"]),
    named("GEOSEARCH of the globe", "O(N)", () => [
      ["GEOSEARCH", "k", "FROMLONLAT", "0", "0", "BYRADIUS", "30000", "km"],
    ]),
  ],
}

export const sortedSetFamilies: ReadonlyArray<Family> = [members, ranges, lexRanges, combining, geo]
