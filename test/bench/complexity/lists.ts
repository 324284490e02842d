/** Lists of n elements: at their ends, at a place inside, and as a whole. */
import { at, type Family, fillWith, fixed, member, named, together } from "./Case.ts"

const lists: Family = {
  name: "lists",
  fill: fillWith(["RPUSH", "k"], (index) => [member(index)]),
  cases: [
    together("O(1)", () => [
      ["LPUSH", "k", "x"],
      ["RPOP", "k"],
    ]),
    together("O(1)", () => [
      ["RPUSH", "k", "x"],
      ["LPOP", "k"],
    ]),
    together("O(1)", () => [
      ["LPUSHX", "k", "x"],
      ["LMPOP", "1", "k", "RIGHT"],
    ]),
    together("O(1)", () => [
      ["RPUSHX", "k", "x"],
      ["BLPOP", "k", "1"],
    ]),
    together("O(1)", () => [
      ["LPUSH", "k", "x"],
      ["BRPOP", "k", "1"],
    ]),
    together("O(1)", () => [
      ["RPUSH", "k", "x"],
      ["BLMPOP", "1", "1", "k", "LEFT"],
    ]),
    fixed("O(1)", "LMOVE", "k", "k", "LEFT", "RIGHT"),
    fixed("O(1)", "RPOPLPUSH", "k", "k"),
    fixed("O(1)", "BLMOVE", "k", "k", "LEFT", "RIGHT", "1"),
    fixed("O(1)", "BRPOPLPUSH", "k", "k", "1"),
    fixed("O(1)", "LLEN", "k"),
    fixed("O(1)", "LINDEX", "k", "5"),
    fixed("O(1)", "LINDEX", "k", "-5"),
    fixed("O(1)", "LRANGE", "k", "0", "9"),
    fixed("O(1)", "LRANGE", "k", "-10", "-1"),
    fixed("O(1)", "LTRIM", "k", "0", "-1"),
    at("LINDEX", "O(N)", (i) => ["LINDEX", "k", String(i)]),
    at("LSET", "O(N)", (i) => ["LSET", "k", String(i), "x"]),
    together("O(N)", () => [
      ["LINSERT", "k", "AFTER", "none", "y"],
      ["LREM", "k", "1", "none"],
    ]),
    fixed("O(N)", "LPOS", "k", "none"),
    fixed("O(N)", "LRANGE", "k", "0", "-1"),
  ],
}

const sorting: Family = {
  name: "sorting",
  fill: fillWith(["RPUSH", "k"], (index) => [String((index * 7919) % 1_000_003)]),
  cases: [
    named("SORT LIMIT 0 10", "O(N log N)", () => [["SORT", "k", "LIMIT", "0", "10"]]),
    named("SORT ALPHA LIMIT 0 10", "O(N log N)", () => [["SORT", "k", "ALPHA", "LIMIT", "0", "10"]]),
    named("SORT_RO LIMIT 0 10", "O(N log N)", () => [["SORT_RO", "k", "LIMIT", "0", "10"]]),
    fixed("O(N)", "DUMP", "k"),
    fixed("O(N)", "COPY", "k", "copy", "REPLACE"),
  ],
}

export const listFamilies: ReadonlyArray<Family> = [lists, sorting]
