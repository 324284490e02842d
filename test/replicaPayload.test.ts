/**
 * What a master sends in a full resynchronization, wherever the network tears it: empty lines, a header, a snapshot of a known length or up
 * to a mark, and the stream of changes behind it.
 */
import fc from "fast-check"
import { expect, it } from "vitest"
import { Damaged } from "../src/persistence/rdb/Format.ts"
import { Payload, type Sink } from "../src/replication/link/Payload.ts"

const snapshot = "REDIS0011 what a snapshot holds, in which the $EOF: of a header may stand, and its end."
const mark = "0123456789abcdef0123456789abcdef01234567"

/** A reader of snapshots that have the length of the one above. */
const collecting = () => {
  let text = ""
  const sink: Sink = {
    feed: (chunk) => void (text += chunk.latin1Slice()),
    get done() {
      return text.length >= snapshot.length
    },
    get offset() {
      return Math.min(text.length, snapshot.length)
    },
  }
  return { sink, text: () => text }
}

/** Feeds `pieces` until the payload is whole; gives what was read of the snapshot, and what came behind. */
const receive = (pieces: ReadonlyArray<string>) => {
  const { sink, text } = collecting()
  const payload = new Payload(() => sink)
  let behind: string | undefined
  for (const piece of pieces) {
    if (behind !== undefined) behind += piece
    else behind = payload.feed(Buffer.from(piece, "latin1"))?.latin1Slice()
  }
  return { snapshot: text(), behind, totalBytes: payload.totalBytes, readBytes: payload.readBytes }
}

const cut = (text: string, places: ReadonlyArray<number>): ReadonlyArray<string> => {
  const at = [0, ...places.map((place) => place % (text.length + 1)).sort((a, b) => a - b), text.length]
  return at.slice(1).map((end, i) => text.slice(at[i], end))
}

const forms: ReadonlyArray<readonly [string, string]> = [
  ["of a known length", `$${snapshot.length}\r\n${snapshot}`],
  ["up to a mark", `$EOF:${mark}\r\n${snapshot}${mark}`],
  ["after empty lines", `\n\n\n$${snapshot.length}\r\n${snapshot}`],
]

it.each(forms)("a snapshot %s is the same however it is torn", (_, form) => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 8 }), fc.constantFrom("", "*1\r\n$4\r\nPING\r\n"), (places, stream) => {
      const expected = { snapshot, behind: stream, readBytes: snapshot.length }
      expect(receive(cut(form + stream, places))).toMatchObject(expected)
    }),
  )
})

it("says how long the snapshot is, and 0 where it ends in a mark", () => {
  expect(forms.map(([, form]) => receive([form]).totalBytes)).toEqual([snapshot.length, 0, snapshot.length])
})

it("is not whole before its last byte", () => {
  for (const [, form] of forms) expect(receive([form.slice(0, -1)]).behind).toBe(undefined)
})

it.each([
  ["a line that is no header", "+OK\r\n"],
  ["a negative length", "$-1\r\n"],
  ["a length that is no number", "$12x\r\n"],
  ["a mark that is too short", "$EOF:abc\r\n"],
  ["a header without an end", `$${"1".repeat(200)}`],
  ["bytes between the snapshot and its mark", `$EOF:${mark}\r\n${snapshot}more${mark}`],
  ["a length beyond the end of the snapshot", `$${snapshot.length + 4}\r\n${snapshot}more`],
])("refuses %s", (_, text) => {
  expect(() => receive([text])).toThrow(Damaged)
  expect(() => receive([...text])).toThrow(Damaged)
})
