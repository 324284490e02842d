/** Streams of n entries, and groups with n pending ones. */
import { fill } from "../Client.ts"
import { at, type Family, fixed, named, together } from "./Case.ts"

const streams: Family = {
  name: "streams",
  fill: async (client, n) => {
    await fill(client, n, (index) => ["XADD", "k", `${index + 1}-1`, "f", "v"])
    await client.call("XGROUP", "CREATE", "k", "g", "$")
  },
  cases: [
    at("XRANGE of 10", "O(log N)", (i) => ["XRANGE", "k", `${i}-0`, "+", "COUNT", "10"]),
    at("XREVRANGE of 10", "O(log N)", (i) => ["XREVRANGE", "k", `${i + 20}-0`, "-", "COUNT", "10"]),
    at("XREAD of 10", "O(log N)", (i) => ["XREAD", "COUNT", "10", "STREAMS", "k", `${i}-0`]),
    fixed("O(1)", "XLEN", "k"),
    fixed("O(1)", "XINFO", "STREAM", "k"),
    fixed("O(1)", "XINFO", "GROUPS", "k"),
    named("XINFO STREAM FULL", "O(1)", () => [["XINFO", "STREAM", "k", "FULL"]]),
    named("XADD, XSETID, XDEL", "O(1)", (i) => [
      ["XADD", "k", `9999999999997-${i + 1}`, "f", "v"],
      ["XSETID", "k", `9999999999997-${i + 1}`],
      ["XDEL", "k", `9999999999997-${i + 1}`],
    ]),
    together("O(1)", (i) => [
      ["XADD", "k", `9999999999998-${i + 1}`, "f", "v"],
      ["XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", "k", ">"],
      ["XACK", "k", "g", `9999999999998-${i + 1}`],
      ["XDEL", "k", `9999999999998-${i + 1}`],
    ]),
    named("XADD, XTRIM by one", "O(1)", (_, n) => [
      ["XADD", "k", "*", "f", "v"],
      ["XTRIM", "k", "MAXLEN", String(n)],
    ]),
    named("XGROUP CREATE, DESTROY", "O(1)", () => [
      ["XGROUP", "CREATE", "k", "other", "$"],
      ["XGROUP", "SETID", "k", "other", "0"],
      ["XGROUP", "DESTROY", "k", "other"],
    ]),
    named("XGROUP CREATECONSUMER, DELCONSUMER", "O(1)", () => [
      ["XGROUP", "CREATECONSUMER", "k", "g", "other"],
      ["XGROUP", "DELCONSUMER", "k", "g", "other"],
    ]),
    fixed("O(N)", "XRANGE", "k", "-", "+"),
    fixed("O(N)", "DUMP", "k"),
  ],
}

const pending: Family = {
  name: "pending entries",
  fill: async (client, n) => {
    await fill(client, n, (index) => ["XADD", "k", `${index + 1}-1`, "f", "v"])
    await client.call("XGROUP", "CREATE", "k", "g", "0")
    await fill(client, Math.ceil(n / 1000), () => [
      "XREADGROUP",
      "GROUP",
      "g",
      "c",
      "COUNT",
      "1000",
      "STREAMS",
      "k",
      ">",
    ])
  },
  cases: [
    fixed("O(1)", "XPENDING", "k", "g"),
    at("XPENDING of 10", "O(log N)", (i) => ["XPENDING", "k", "g", `${i}-0`, "+", "10"]),
    at("XCLAIM", "O(log N)", (i) => ["XCLAIM", "k", "g", "d", "0", `${i + 1}-1`]),
    at("XAUTOCLAIM of 10", "O(log N)", (i) => ["XAUTOCLAIM", "k", "g", "c", "0", `${i}-0`, "COUNT", "10"]),
    at("XREADGROUP of 10 again", "O(log N)", (i) => [
      ...["XREADGROUP", "GROUP", "g", "c", "COUNT", "10", "STREAMS", "k", `${i}-0`],
    ]),
    fixed("O(1)", "XINFO", "CONSUMERS", "k", "g"),
  ],
}

export const streamFamilies: ReadonlyArray<Family> = [streams, pending]
