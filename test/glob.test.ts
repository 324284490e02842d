/** Glob patterns. Each line was put to redis-server 7.0.15: by KEYS, and by CONFIG GET where case does not count. */
import { describe, expect, it } from "vitest"
import { compileGlob, compileKeyGlob, globMatch } from "../src/bytes/Glob.ts"

describe("globMatch", () => {
  it.each([
    ["a*c", "abbc"],
    ["a*", "a"],
    ["***", "x"],
    ["*a*b", "xaybab"],
    ["h?llo", "hello"],
    ["h[ae]llo", "hallo"],
    ["h[^e]llo", "hallo"],
    ["h[a-c]llo", "hbllo"],
    ["h[c-a]llo", "hbllo"],
    ["[^]", "x"],
    ["[abc", "b"],
    ["[a-", "-"],
    ["[a-]", "a"],
    ["[\\]]", "]"],
    ["[\\a-z]", "-"],
    ["[*]", "*"],
    ["\\*", "*"],
    ["a\\", "a\\"],
    ["[\xe0-a]", "\xf0"],
    ["[a-\xff]", "A"],
    ["", ""],
  ])("%j matches %j", (pattern, bytes) => expect(globMatch(pattern, bytes)).toBe(true))

  it.each([
    ["a*c", "abbd"],
    ["h?llo", "hllo"],
    ["h[^e]llo", "hello"],
    ["h[a-c]llo", "hdllo"],
    ["[]", "x"],
    ["[\\a-z]", "b"],
    ["\\*", "x"],
    ["A", "a"],
    ["[a-\xff]", "b"],
    ["[a-\xff]", "\x80"],
    ["", "x"],
    ["x", ""],
    ["**", ""],
  ])("%j does not match %j", (pattern, bytes) => expect(globMatch(pattern, bytes)).toBe(false))

  it.each([
    ["MAXMEM*", "maxmemory", true],
    ["[M]ax*", "maxmemory", true],
    ["[\\m]ax*", "maxmemory", true],
    // An escaped char of a class keeps its case, and the ends of a range change theirs after they were put in order.
    ["[\\M]ax*", "maxmemory", false],
    ["[A-Z]ax*", "maxmemory", true],
    ["[M-_]ax*", "maxmemory", false],
    ["[a-Z]ax*", "maxmemory", false],
  ])("without regard to case, %j against %j is %s", (pattern, bytes, expected) =>
    expect(globMatch(pattern, bytes, true)).toBe(expected),
  )

  it("finds every shortcut to agree with the general way", () => {
    const names = ["", "a", "user:", "user:1", "user:1:name", "xuser:"]
    for (const [short, long] of [
      ["user:*", "[u]ser:*"],
      ["user:1", "[u]ser:1"],
      ["*", "**"],
    ] as const) {
      expect(names.filter(compileGlob(short))).toEqual(names.filter(compileGlob(long)))
    }
  })

  it("gives up a hostile pattern in time that grows with its length alone", () => {
    expect(globMatch("a*".repeat(50) + "b", "a".repeat(10_000))).toBe(false)
  })
})

it("takes * for everything where keys are listed", () => {
  expect(["", "a"].filter(compileKeyGlob("*"))).toEqual(["", "a"])
  expect(["", "a"].filter(compileGlob("*"))).toEqual(["a"])
  expect(["", "a", "b"].filter(compileKeyGlob("a*"))).toEqual(["a"])
})
