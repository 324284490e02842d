/** The longest common subsequence: its length against a plain table, its places against what a subsequence is. */
import { describe, expect, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as CommonSubsequence from "../src/bytes/CommonSubsequence.ts"

const text = fc.array(fc.constantFrom("a", "b", "c", "\0"), { maxLength: 40 }).map((chars) => chars.join(""))

/** The textbook table. */
const lengthOf = (a: string, b: string): number => {
  const table = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0))
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      table[i][j] = a[i - 1] === b[j - 1] ? table[i - 1][j - 1] + 1 : Math.max(table[i - 1][j], table[i][j - 1])
    }
  }
  return table[a.length][b.length]
}

describe("CommonSubsequence", () => {
  it.prop("is as long as the table says, whichever string is longer", [text, text], ([a, b]) => {
    expect(CommonSubsequence.length(a, b)).toBe(lengthOf(a, b))
    expect(CommonSubsequence.find(a, b).length).toBe(lengthOf(a, b))
  })

  it.prop("lies in both strings, in order, in stretches that do not touch", [text, text], ([a, b]) => {
    const found = CommonSubsequence.find(a, b)
    let [firstEnd, secondEnd] = [a.length, b.length]
    for (const match of found.matches) {
      expect(a.slice(match.firstStart, match.firstEnd + 1)).toBe(b.slice(match.secondStart, match.secondEnd + 1))
      expect(match.firstEnd).toBeLessThan(firstEnd)
      expect(match.secondEnd).toBeLessThan(secondEnd)
      expect(match.firstEnd === firstEnd - 1 && match.secondEnd === secondEnd - 1 && firstEnd < a.length).toBe(false)
      firstEnd = match.firstStart
      secondEnd = match.secondStart
    }
    expect(CommonSubsequence.subsequence(a, found).length).toBe(found.length)
  })

  // Recorded from LCS a b IDX: where several are longest, which one it is.
  it.each([
    ["abcabcabc", "bcabca", "bcabca", [[1, 6, 0, 5]]],
    ["abab", "baba", "bab", [[1, 3, 0, 2]]],
    [
      "axbyc",
      "xaybz",
      "xy",
      [
        [3, 3, 2, 2],
        [1, 1, 0, 0],
      ],
    ],
    [
      "ohmytext",
      "mynewtext",
      "mytext",
      [
        [4, 7, 5, 8],
        [2, 3, 0, 1],
      ],
    ],
  ])("chooses as Redis between %s and %s", (a, b, subsequence, places) => {
    const found = CommonSubsequence.find(a, b)
    expect(CommonSubsequence.subsequence(a, found)).toBe(subsequence)
    expect(found.matches.map((m) => [m.firstStart, m.firstEnd, m.secondStart, m.secondEnd])).toEqual(places)
  })
})
