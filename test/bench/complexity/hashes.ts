/** Hashes of n fields, with deadlines and without. */
import { at, comesAndGoes, type Family, fillWith, fixed, member, named, together } from "./Case.ts"

const filled = fillWith(["HSET", "k"], (index) => [member(index), "1"])

const hashes: Family = {
  name: "hashes",
  fill: filled,
  cases: [
    at("HGET", "O(1)", (i) => ["HGET", "k", member(i)]),
    at("HSET", "O(1)", (i) => ["HSET", "k", member(i), "1"]),
    at("HMSET", "O(1)", (i) => ["HMSET", "k", member(i), "1"]),
    at("HSETNX", "O(1)", (i) => ["HSETNX", "k", member(i), "1"]),
    at("HMGET of 2", "O(1)", (i) => ["HMGET", "k", member(i), member(i >> 1)]),
    at("HINCRBY", "O(1)", (i) => ["HINCRBY", "k", member(i), "1"]),
    at("HINCRBYFLOAT", "O(1)", (i) => ["HINCRBYFLOAT", "k", member(i), "0.5"]),
    at("HEXISTS", "O(1)", (i) => ["HEXISTS", "k", member(i)]),
    at("HSTRLEN", "O(1)", (i) => ["HSTRLEN", "k", member(i)]),
    together("O(1)", (i) => [
      ["HSET", "k", `new${i}`, "1"],
      ["HDEL", "k", `new${i}`],
    ]),
    comesAndGoes(["HSET", "k", "lock", "1"], ["HDEL", "k", "lock"]),
    fixed("O(1)", "HLEN", "k"),
    fixed("O(1)", "HRANDFIELD", "k"),
    fixed("O(1)", "HRANDFIELD", "k", "-10", "WITHVALUES"),
    named("HSCAN COUNT 10", "O(1)", () => [["HSCAN", "k", "0", "COUNT", "10"]]),
    fixed("O(N)", "HGETALL", "k"),
    fixed("O(N)", "HKEYS", "k"),
    fixed("O(N)", "HVALS", "k"),
    fixed("O(N)", "DUMP", "k"),
  ],
}

const deadlines: Family = {
  name: "deadlines of fields",
  oursOnly: true,
  fill: filled,
  cases: [
    at("HEXPIRE", "O(1)", (i) => ["HEXPIRE", "k", "100000", "FIELDS", "1", member(i)]),
    at("HPEXPIRE", "O(1)", (i) => ["HPEXPIRE", "k", "100000000", "FIELDS", "1", member(i)]),
    at("HEXPIREAT", "O(1)", (i) => ["HEXPIREAT", "k", "9999999999", "FIELDS", "1", member(i)]),
    at("HPEXPIREAT", "O(1)", (i) => ["HPEXPIREAT", "k", "9999999999999", "FIELDS", "1", member(i)]),
    at("HTTL", "O(1)", (i) => ["HTTL", "k", "FIELDS", "1", member(i)]),
    at("HPTTL", "O(1)", (i) => ["HPTTL", "k", "FIELDS", "1", member(i)]),
    at("HEXPIRETIME", "O(1)", (i) => ["HEXPIRETIME", "k", "FIELDS", "1", member(i)]),
    at("HPEXPIRETIME", "O(1)", (i) => ["HPEXPIRETIME", "k", "FIELDS", "1", member(i)]),
    at("HPERSIST", "O(1)", (i) => ["HPERSIST", "k", "FIELDS", "1", member(i)]),
    named("HEXPIRE, HPERSIST of one field", "O(1)", () => [
      ["HEXPIRE", "k", "100000", "FIELDS", "1", member(1)],
      ["HPERSIST", "k", "FIELDS", "1", member(1)],
    ]),
  ],
}

export const hashFamilies: ReadonlyArray<Family> = [hashes, deadlines]
