/** The order of things within a turn of the event loop. */
import { expect, it } from "vitest"
import * as Turn from "../src/socket/Turn.ts"

/** A turn that runs when told to, and members that note what is done with them. */
const setUp = () => {
  const runs: Array<() => void> = []
  const log: Array<string> = []
  const turn = Turn.make((run) => runs.push(run))
  const join = (name: string) =>
    turn.join({
      lookAhead: () => log.push(`look at ${name}`),
      serve: () => log.push(`serve ${name}`),
      flush: () => log.push(`flush ${name}`),
    })
  return { turn, join, log, runs }
}

it("serves everybody, in order of arrival, before anybody's answers are written", () => {
  const { join, log, runs } = setUp()
  const [a, b] = [join("a"), join("b")]
  b()
  a()
  expect(log).toEqual([])
  runs[0]!()
  expect(log).toEqual(["serve b", "serve a", "flush b", "flush a"])
})

it("serves a connection once for all that has come for it in a turn, and again in the next", () => {
  const { join, log, runs } = setUp()
  const a = join("a")
  a()
  a()
  expect(runs).toHaveLength(1)
  runs[0]!()
  a()
  expect(runs).toHaveLength(2)
  runs[1]!()
  expect(log).toEqual(["serve a", "flush a", "serve a", "flush a"])
})

it("has everybody look at what is to be served before anybody is, where there are some", () => {
  const { join, log, runs } = setUp()
  const [a, b, c, d] = ["a", "b", "c", "d"].map(join)
  for (const arrived of [a, b, c]) arrived!()
  runs[0]!()
  expect(log).toEqual(["serve a", "serve b", "serve c", "flush a", "flush b", "flush c"])
  log.length = 0
  for (const arrived of [d, b, c, a]) arrived!()
  runs[1]!()
  expect(log.slice(0, 5)).toEqual(["look at d", "look at b", "look at c", "look at a", "serve d"])
  expect(log).toHaveLength(12)
})

it("goes on with what comes while answers are written", () => {
  const { turn, join, log, runs } = setUp()
  const b = join("b")
  const a = turn.join({
    lookAhead: () => {},
    serve: () => log.push("serve a"),
    flush: () => {
      log.push("flush a")
      b()
    },
  })
  a()
  runs[0]!()
  expect(runs).toHaveLength(1)
  expect(log).toEqual(["serve a", "flush a", "serve b", "flush b"])
})

it("can be run before it is due, by what is too large to wait", () => {
  const { turn, join, log, runs } = setUp()
  const a = join("a")
  a()
  turn.run()
  expect(log).toEqual(["serve a", "flush a"])
  runs[0]!()
  expect(log).toHaveLength(2)
  a()
  expect(runs).toHaveLength(2)
})
