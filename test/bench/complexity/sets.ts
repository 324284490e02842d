/** Sets of n members, alone and with another one, small or the same. */
import { at, comesAndGoes, type Family, fillWith, fixed, member, named, together } from "./Case.ts"

export const sets: Family = {
  name: "sets",
  fill: async (client, n) => {
    await fillWith(["SADD", "k"], (index) => [member(index)])(client, n)
    await client.call("SADD", "few", member(1), member(2), "other")
  },
  cases: [
    at("SISMEMBER", "O(1)", (i) => ["SISMEMBER", "k", member(i)]),
    at("SMISMEMBER of 2", "O(1)", (i) => ["SMISMEMBER", "k", member(i), member(i >> 1)]),
    together("O(1)", (i) => [
      ["SADD", "k", `new${i}`],
      ["SREM", "k", `new${i}`],
    ]),
    together("O(1)", (i) => [
      ["SADD", "k", `pop${i}`],
      ["SPOP", "k"],
    ]),
    comesAndGoes(["SADD", "k", "lock"], ["SREM", "k", "lock"]),
    fixed("O(1)", "SCARD", "k"),
    fixed("O(1)", "SRANDMEMBER", "k"),
    fixed("O(1)", "SRANDMEMBER", "k", "-10"),
    named("SSCAN COUNT 10", "O(1)", () => [["SSCAN", "k", "0", "COUNT", "10"]]),
    named("SADD, SMOVE, SREM", "O(1)", (i) => [
      ["SADD", "k", `moved${i}`],
      ["SMOVE", "k", "few", `moved${i}`],
      ["SREM", "few", `moved${i}`],
    ]),
    named("SINTER with few", "O(1)", () => [["SINTER", "k", "few"]]),
    named("SINTERCARD with few", "O(1)", () => [["SINTERCARD", "2", "k", "few"]]),
    named("SINTERSTORE with few", "O(1)", () => [["SINTERSTORE", "d", "k", "few"]]),
    named("SDIFF of few", "O(1)", () => [["SDIFF", "few", "k"]]),
    named("SDIFFSTORE of few", "O(1)", () => [["SDIFFSTORE", "d", "few", "k"]]),
    fixed("O(N)", "SMEMBERS", "k"),
    named("SINTER with itself", "O(N)", () => [["SINTER", "k", "k"]]),
    named("SUNION with few", "O(N)", () => [["SUNION", "k", "few"]]),
    named("SDIFF less few", "O(N)", () => [["SDIFF", "k", "few"]]),
    named("SUNIONSTORE with few, UNLINK", "O(N)", () => [
      ["SUNIONSTORE", "d", "k", "few"],
      ["UNLINK", "d"],
    ]),
    fixed("O(N)", "DUMP", "k"),
  ],
}
