/** Commands on one key of n, and on all of them. The values are short strings. */
import { fill } from "../Client.ts"
import { at, comesAndGoes, type Family, fixed, member, named, together } from "./Case.ts"

const filled: Family["fill"] = (client, n) => fill(client, n, (index) => ["SET", member(index), "1"])

const values: Family = {
  name: "values of keys",
  fill: filled,
  cases: [
    at("GET", "O(1)", (i) => ["GET", member(i)]),
    at("SET", "O(1)", (i) => ["SET", member(i), "1"]),
    at("GETSET", "O(1)", (i) => ["GETSET", member(i), "1"]),
    at("GETEX", "O(1)", (i) => ["GETEX", member(i), "PERSIST"]),
    at("SETNX", "O(1)", (i) => ["SETNX", member(i), "1"]),
    at("SETEX", "O(1)", (i) => ["SETEX", member(i), "100000", "1"]),
    at("PSETEX", "O(1)", (i) => ["PSETEX", member(i), "100000000", "1"]),
    at("INCR", "O(1)", (i) => ["INCR", member(i)]),
    at("DECR", "O(1)", (i) => ["DECR", member(i)]),
    at("INCRBY", "O(1)", (i) => ["INCRBY", member(i), "10"]),
    at("DECRBY", "O(1)", (i) => ["DECRBY", member(i), "10"]),
    at("INCRBYFLOAT", "O(1)", (i) => ["INCRBYFLOAT", member(i), "0.5"]),
    at("MGET of 2", "O(1)", (i) => ["MGET", member(i), member(i >> 1)]),
    at("MSET of 2", "O(1)", (i) => ["MSET", member(i), "1", member(i >> 1), "1"]),
    together("O(1)", (i) => [
      ["MSETNX", `new${i}`, "1"],
      ["GETDEL", `new${i}`],
    ]),
    together("O(1)", (i) => [
      ["SET", `new${i}`, "1"],
      ["DEL", `new${i}`],
    ]),
    named("SET EX, UNLINK", "O(1)", (i) => [
      ["SET", `new${i}`, "1", "EX", "1000"],
      ["UNLINK", `new${i}`],
    ]),
    named("SET NX PX, DEL of one name", "O(1)", () => [
      ["SET", "timed", "1", "NX", "PX", "100000"],
      ["DEL", "timed"],
    ]),
    comesAndGoes(["SET", "lock", "1"], ["DEL", "lock"]),
  ],
}

const deadlines: Family = {
  name: "deadlines of keys",
  fill: filled,
  cases: [
    at("EXPIRE", "O(1)", (i) => ["EXPIRE", member(i), "100000"]),
    at("PEXPIRE", "O(1)", (i) => ["PEXPIRE", member(i), "100000000"]),
    at("EXPIREAT", "O(1)", (i) => ["EXPIREAT", member(i), "9999999999"]),
    at("PEXPIREAT", "O(1)", (i) => ["PEXPIREAT", member(i), "9999999999999"]),
    at("TTL", "O(1)", (i) => ["TTL", member(i)]),
    at("PTTL", "O(1)", (i) => ["PTTL", member(i)]),
    at("EXPIRETIME", "O(1)", (i) => ["EXPIRETIME", member(i)]),
    at("PEXPIRETIME", "O(1)", (i) => ["PEXPIRETIME", member(i)]),
    at("PERSIST", "O(1)", (i) => ["PERSIST", member(i)]),
    comesAndGoes(["EXPIRE", member(1), "1000"], ["PERSIST", member(1)]),
  ],
}

const names: Family = {
  name: "names of keys",
  fill: filled,
  cases: [
    at("EXISTS", "O(1)", (i) => ["EXISTS", member(i)]),
    at("TYPE", "O(1)", (i) => ["TYPE", member(i)]),
    at("TOUCH", "O(1)", (i) => ["TOUCH", member(i)]),
    at("OBJECT ENCODING", "O(1)", (i) => ["OBJECT", "ENCODING", member(i)]),
    at("OBJECT IDLETIME", "O(1)", (i) => ["OBJECT", "IDLETIME", member(i)]),
    at("OBJECT REFCOUNT", "O(1)", (i) => ["OBJECT", "REFCOUNT", member(i)]),
    named("OBJECT FREQ", "O(1)", (i, n) => [
      ["CONFIG", "SET", "maxmemory-policy", "allkeys-lfu"],
      ["OBJECT", "FREQ", member(i % n)],
      ["CONFIG", "SET", "maxmemory-policy", "noeviction"],
    ]),
    at("MEMORY USAGE", "O(1)", (i) => ["MEMORY", "USAGE", member(i)]),
    at("DUMP", "O(1)", (i) => ["DUMP", member(i)]),
    at("RESTORE", "O(1)", () => [
      "RESTORE",
      "restored",
      "0",
      "\x00\xc190\n\x00\x9d\x94\xea'\x93\xfc\x08\xb9",
      "REPLACE",
    ]),
    at("COPY", "O(1)", (i) => ["COPY", member(i), "copy", "REPLACE"]),
    named("RENAME there and back", "O(1)", () => [
      ["RENAME", member(1), "other"],
      ["RENAME", "other", member(1)],
    ]),
    named("RENAMENX there and back", "O(1)", () => [
      ["RENAMENX", member(1), "other"],
      ["RENAMENX", "other", member(1)],
    ]),
    named("MOVE there and back", "O(1)", () => [
      ["MOVE", member(1), "1"],
      ["SELECT", "1"],
      ["MOVE", member(1), "0"],
      ["SELECT", "0"],
    ]),
    named("RANDOMKEY", "O(1)", () => [["RANDOMKEY"]]),
    named("DBSIZE", "O(1)", () => [["DBSIZE"]]),
    named("SCAN COUNT 10", "O(1)", () => [["SCAN", "0", "COUNT", "10"]]),
    fixed("O(N)", "KEYS", "nothing*"),
  ],
}

export const keyFamilies: ReadonlyArray<Family> = [values, deadlines, names]
