/**
 * What the connections of the conversation fuzzer say: few keys and channels, so that they meet, and every way to wait, watch, listen
 * and cache. `$2` stands for the id of connection 2, which differs between servers.
 */
import * as fc from "fast-check"
import { argv, key, maybe } from "./Fuzz.ts"

export const connections = 4

const element = fc.constantFrom("x", "y", "z", "1")
const side = fc.constantFrom("LEFT", "RIGHT")
const list = fc.constantFrom("l1", "l2", "l3")
const zset = fc.constantFrom("z1", "z2")
const stream = fc.constantFrom("s1", "s2")
const group = fc.constantFrom("g", "h")
const anyKey = fc.oneof(list, zset, stream, key)
const channel = fc.constantFrom("c1", "c2", "__keyevent@0__:expired")
const pattern = fc.constantFrom("c*", "*2", "__keyspace@*", "__keyevent@0__:*")
const someone = fc.nat(connections - 1).map((index) => `$${index}`)
const database = fc.constantFrom("0", "0", "0", "1")

/** What DUMP gives for a list of "x". */
const listOfOne = "\x12\x01\x02\n\n\x00\x00\x00\x01\x00\x81x\x02\xff\n\x00\xd1{?\xb8\\\x03\x06\x0e"

const data = fc.oneof(
  argv("RPUSH", list, element, maybe(element)),
  argv("LPUSH", list, element),
  argv("LPOP", list),
  argv("RPOPLPUSH", list, list),
  argv("LRANGE", list, "0", "-1"),
  argv("LINSERT", list, "BEFORE", element, element),
  argv("ZADD", zset, fc.integer({ min: 0, max: 9 }).map(String), element),
  argv("ZPOPMIN", zset),
  argv("ZRANGE", zset, "0", "-1", "WITHSCORES"),
  argv("XADD", stream, fc.integer({ min: 1, max: 60 }).map(String), "f", element),
  argv("XDEL", stream, fc.integer({ min: 1, max: 60 }).map(String)),
  argv("XLEN", stream),
  argv("XGROUP", "CREATE", stream, group, fc.constantFrom("0", "$"), maybe("MKSTREAM")),
  argv("XGROUP", "DESTROY", stream, group),
  argv("SET", anyKey, element),
  argv("SET", key, element, "PX", "100000"),
  argv("GET", key),
  argv("MGET", key, key),
  argv("INCR", key),
  argv("DEL", anyKey),
  argv("UNLINK", anyKey, anyKey),
  argv("PEXPIREAT", anyKey, fc.constantFrom("1", "9999999999999")),
  argv("PERSIST", anyKey),
  argv("RENAME", anyKey, anyKey),
  argv("COPY", anyKey, anyKey, maybe("REPLACE")),
  argv("MOVE", anyKey, database),
  argv("SORT", list, "ALPHA", "STORE", list),
  argv("EXISTS", anyKey),
  argv("TYPE", anyKey),
  argv("RENAMENX", anyKey, anyKey),
  argv("RESTORE", anyKey, "0", listOfOne),
  argv("PEXPIRE", anyKey, fc.constantFrom("-1", "100000")),
  argv("GETEX", key, "PXAT", "1"),
  argv("SWAPDB", "0", "1"),
  argv("FLUSHDB"),
  argv("FLUSHALL"),
  argv("EVAL", "return redis.call('RPUSH', KEYS[1], ARGV[1], ARGV[2])", "1", list, element, element),
  argv("EVAL", "redis.call('SET', KEYS[1], 'a') return redis.call('DEL', KEYS[1])", "1", anyKey),
  argv("EVAL", "return redis.pcall('BLPOP', KEYS[1], 0)", "1", list),
)

const blocking = fc.oneof(
  argv("BLPOP", list, maybe(list), "0"),
  argv("BRPOP", list, maybe(list), "0"),
  argv("BLMOVE", list, list, side, side, "0"),
  argv("BRPOPLPUSH", list, list, "0"),
  argv("BLMPOP", "0", "2", list, list, side, maybe("COUNT", "2")),
  argv("BZPOPMIN", zset, maybe(zset), "0"),
  argv("BZPOPMAX", zset, "0"),
  argv("BZMPOP", "0", "1", zset, fc.constantFrom("MIN", "MAX")),
  argv("XREAD", "BLOCK", "0", "STREAMS", stream, "$"),
  argv("XREAD", maybe("COUNT", "1"), "BLOCK", "0", "STREAMS", stream, stream, "$", "0"),
  argv("XREADGROUP", "GROUP", group, "alice", "BLOCK", "0", "STREAMS", stream, ">"),
  argv("XREADGROUP", "GROUP", group, "bob", maybe("COUNT", "1"), "BLOCK", "0", "NOACK", "STREAMS", stream, ">"),
  argv("WAIT", "0", "0"),
)

const transaction = fc.oneof(
  argv("MULTI"),
  argv("MULTI"),
  argv("EXEC"),
  argv("EXEC"),
  argv("EXEC"),
  argv("DISCARD"),
  argv("WATCH", anyKey),
  argv("WATCH", anyKey, anyKey),
  argv("UNWATCH"),
)

const listening = fc.oneof(
  argv("SUBSCRIBE", channel, maybe(channel)),
  argv("PSUBSCRIBE", pattern),
  argv("SSUBSCRIBE", channel),
  argv("UNSUBSCRIBE", channel, maybe(channel)),
  argv("PUNSUBSCRIBE", pattern),
  argv("SUNSUBSCRIBE", channel),
  argv("PUBLISH", channel, element),
  argv("SPUBLISH", channel, element),
  argv("PUBSUB", "NUMSUB", channel, channel),
  argv("PUBSUB", "NUMPAT"),
  argv("PING"),
  argv("RESET"),
  argv("HELLO", fc.constantFrom("2", "3")),
)

const caching = fc.oneof(
  argv("CLIENT", "TRACKING", "ON", maybe("NOLOOP")),
  argv("CLIENT", "TRACKING", "ON", "BCAST", maybe("PREFIX", fc.constantFrom("l", "z", "k")), maybe("NOLOOP")),
  argv("CLIENT", "TRACKING", "ON", fc.constantFrom("OPTIN", "OPTOUT")),
  argv("CLIENT", "TRACKING", "ON", "REDIRECT", someone, maybe("BCAST")),
  argv("CLIENT", "TRACKING", "OFF"),
  argv("CLIENT", "CACHING", fc.constantFrom("YES", "NO")),
)

const others = fc.oneof(
  argv("CLIENT", "UNBLOCK", someone, maybe(fc.constantFrom("TIMEOUT", "ERROR"))),
  argv("CLIENT", "NO-EVICT", fc.constantFrom("ON", "OFF")),
  argv("CLIENT", "SETNAME", element),
  argv("CLIENT", "REPLY", "ON"),
  argv("CLIENT", "PAUSE", "100000", "WRITE"),
  argv("CLIENT", "UNPAUSE"),
  argv("CLIENT", "UNPAUSE"),
  argv("SELECT", database),
)

export const request = fc.oneof(
  { weight: 8, arbitrary: data },
  { weight: 5, arbitrary: blocking },
  { weight: 4, arbitrary: transaction },
  { weight: 3, arbitrary: listening },
  { weight: 2, arbitrary: caching },
  { weight: 2, arbitrary: others },
)
