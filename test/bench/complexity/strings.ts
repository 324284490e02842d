/** Strings of n bytes, bitmaps among them, and HyperLogLogs that saw n elements. */
import { at, type Family, fillWith, fixed, member, named, together } from "./Case.ts"

const strings: Family = {
  name: "strings",
  fill: async (client, n) => {
    await client.call("SETRANGE", "k", String(n - 1), "x")
    await client.call("SET", "few", "xyzx")
  },
  cases: [
    fixed("O(1)", "STRLEN", "k"),
    at("GETRANGE of 10", "O(1)", (i) => ["GETRANGE", "k", String(i), String(i + 9)]),
    at("SUBSTR of 10", "O(1)", (i) => ["SUBSTR", "k", String(i), String(i + 9)]),
    at("SETRANGE", "O(1)", (i) => ["SETRANGE", "k", String(i), "x"]),
    fixed("O(1)", "APPEND", "k", "x"),
    fixed("O(N)", "GET", "k"),
    fixed("O(N)", "LCS", "k", "few", "LEN"),
  ],
}

const bitmaps: Family = {
  name: "bitmaps",
  fill: async (client, n) => {
    await strings.fill(client, n)
    await client.call("SETRANGE", "zeros", String(n - 1), "\x01")
  },
  cases: [
    at("GETBIT", "O(1)", (i) => ["GETBIT", "k", String(i * 8)]),
    at("SETBIT", "O(1)", (i) => ["SETBIT", "k", String(i * 8), "0"]),
    at("BITFIELD", "O(1)", (i) => ["BITFIELD", "k", "INCRBY", "u8", String(i * 8), "1"]),
    at("BITFIELD_RO", "O(1)", (i) => ["BITFIELD_RO", "k", "GET", "u8", String(i * 8)]),
    named("BITCOUNT of 10", "O(1)", () => [["BITCOUNT", "k", "100", "109"]]),
    fixed("O(N)", "BITCOUNT", "k"),
    named("BITPOS of the last bit", "O(N)", () => [["BITPOS", "zeros", "1"]]),
    named("BITOP NOT", "O(N)", () => [["BITOP", "NOT", "d", "k"]]),
    named("BITOP AND", "O(N)", () => [["BITOP", "AND", "d", "k", "k"]]),
  ],
}

const hyperLogLogs: Family = {
  name: "hyperloglogs",
  fill: async (client, n) => {
    await fillWith(["PFADD", "k"], (index) => [member(index)])(client, n)
    await client.call("PFDEBUG", "TODENSE", "k")
  },
  cases: [
    together("O(1)", (i) => [
      ["PFADD", "k", `new${i}`],
      ["PFCOUNT", "k"],
    ]),
    named("PFMERGE", "O(1)", () => [["PFMERGE", "d", "k"]]),
    named("PFDEBUG ENCODING", "O(1)", () => [["PFDEBUG", "ENCODING", "k"]]),
  ],
}

export const stringFamilies: ReadonlyArray<Family> = [strings, bitmaps, hyperLogLogs]
