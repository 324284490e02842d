/** What belongs together may be longer than a string can be: in the log, in the stream of changes, and when either is read. */
import { constants } from "node:buffer"

import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Pieces, pieceChars } from "../src/bytes/Pieces.ts"
import { Chance } from "../src/clock/Chance.ts"
import { AppendLog } from "../src/persistence/log/AppendLog.ts"
import { LogReader, request } from "../src/persistence/log/LogText.ts"
import type { Change } from "../src/persistence/Persistence.ts"
import { History } from "../src/replication/History.ts"

/** The same string again and again, so that it takes the memory of one. */
const value = "v".repeat(2 * pieceChars)
const count = 260
const argv = ["RPUSH", "list", ...Array.from({ length: count }, () => value)]
const argvChars = "*262\r\n$5\r\nRPUSH\r\n$4\r\nlist\r\n".length + count * (value.length + "$2097152\r\n\r\n".length)
const unit: ReadonlyArray<Change> = [["MULTI"], argv, ["SET", "k", "v"], ["EXEC"]].map((argv) => ({ db: 0, argv }))
const restChars = [["SELECT", "0"], ["MULTI"], ["SET", "k", "v"], ["EXEC"]].map(request).join("").length

it("the unit of these tests is longer than a string can be", () => {
  expect(argvChars).toBeGreaterThan(constants.MAX_STRING_LENGTH)
})

describe("pieces", () => {
  it("come out as they went in, whatever is put back", () => {
    const step = fc.record({
      add: fc.string({ maxLength: 9 }),
      take: fc.integer({ min: 1, max: 12 }),
      back: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const pieces = new Pieces()
        let [added, taken] = ["", ""]
        for (const { add, back, take } of steps) {
          pieces.add(add)
          added += add
          const piece = pieces.take(take)
          expect(piece.length).toBeLessThanOrEqual(take)
          if (back) pieces.putBack(piece)
          else taken += piece
          expect(pieces.length).toBe(added.length - taken.length)
        }
        for (let piece = pieces.take(3); piece !== ""; piece = pieces.take(3)) taken += piece
        expect(taken).toBe(added)
      }),
    )
  })
  it("are joined up to a limit", () => {
    const pieces = new Pieces()
    const half = "h".repeat(pieceChars / 2)
    for (const text of [half, half, "a", "b"]) pieces.add(text)
    expect([pieces.take(Infinity).length, pieces.take(Infinity), pieces.take(Infinity)]).toEqual([pieceChars, "ab", ""])
  })
  it("of which one was taken and put back come in the same order", () => {
    const pieces = new Pieces()
    for (const text of [value, value, "end"]) pieces.add(text)
    expect(pieces.take(Infinity)).toBe(value)
    pieces.putBack("front")
    expect([pieces.take(Infinity), pieces.take(Infinity), pieces.take(2), pieces.take(2)]).toEqual([
      ...["front", value, "en", "d"],
    ])
    expect(pieces.length).toBe(0)
  })
})

it("the log takes all of such a unit", () => {
  const log = new AppendLog({ policy: () => "no", mayWait: () => true, second: () => undefined, onBroken: () => {} })
  const file = {
    path: "log",
    write: () => Effect.never,
    writeNow: () => 0,
    sync: Effect.void,
    truncate: () => Effect.void,
    close: Effect.void,
  }
  log.switchTo(file, 0, false)
  log.append(unit)
  expect([log.size, log.waiting]).toEqual([argvChars + restChars, argvChars + restChars])
})

it("a history takes all of such a unit", () => {
  const history = Effect.runSync(
    Effect.provide(
      Effect.map(Chance, (chance) => new History(chance)),
      Chance.layer,
    ),
  )
  let followed = 0
  history.followers.push((text) => void (followed += text.length))
  history.append(unit)
  expect([history.offset, followed]).toEqual([argvChars + restChars, argvChars + restChars])
})

it("of a request that comes in parts a reader keeps the arguments, not the text", () => {
  const read: Array<ReadonlyArray<string>> = []
  const reader = new LogReader({ command: (argv) => void read.push(argv), timestamp: () => true })
  const part = Buffer.from(request([value]).slice("*1\r\n".length))
  reader.feed(Buffer.from("*4\r\n"))
  for (let i = 0; i < 4; i++) {
    expect(read).toEqual([])
    reader.feed(part)
    expect((Reflect.get(reader, "text") as string).length).toBeLessThanOrEqual(part.length + 4)
  }
  expect(read).toEqual([[value, value, value, value]])
  expect(reader.offset).toBe(4 + 4 * part.length)
  expect(reader.whole).toBe(true)
})
