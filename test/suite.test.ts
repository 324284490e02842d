/** Reading what redis's own tests print. */
import { expect, it } from "vitest"
import { differences, leftOutUnits, shortUnits } from "./suite/known.ts"
import { readOutcomes } from "./suite/Units.ts"

it("tells which tests passed, and what those that failed said", () => {
  const output = [
    "Testing unit/quit",
    "[testing]: first",
    "[ok]: first (3 ms)",
    "[testing]: second",
    "[err]: second in tests/unit/quit.tcl",
    "Expected '1' to be equal to '2'",
    "Waiting for process 1 to exit...",
    "[testing]: third",
    "[err]: n command 'migrate'",
    '    invoked from within "r migrate"',
    "[ignore]: fourth: large memory flag not provided",
    "[1/1 done]: unit/quit (1 seconds)",
    "*** [err]: second in tests/unit/quit.tcl",
  ].join("\n")
  expect(readOutcomes(output)).toEqual([
    { test: "first", failure: undefined },
    { test: "second", failure: "second\nExpected '1' to be equal to '2'\nWaiting for process 1 to exit..." },
    { test: "third", failure: "n command 'migrate'\n    invoked from within \"r migrate\"" },
  ])
})

it("names a test that fails outside of all", () => {
  expect(readOutcomes("[err]: Can't start the Redis server")).toEqual([
    { test: "outside of a test", failure: "Can't start the Redis server" },
  ])
})

it("lists each difference once, and no difference of a unit that is not run", () => {
  const names = differences.map(({ unit, test }) => `${unit}: ${test}`)
  expect(new Set(names).size).toBe(names.length)
  expect(differences.filter(({ unit }) => leftOutUnits.has(unit))).toEqual([])
  expect(shortUnits.filter((unit) => leftOutUnits.has(unit))).toEqual([])
})
