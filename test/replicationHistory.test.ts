/** What a server keeps of the stream of changes: offsets, ids, and the ring of the last bytes. */
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { Chance } from "../src/clock/Chance.ts"
import { Backlog } from "../src/replication/Backlog.ts"
import { History, noId } from "../src/replication/History.ts"

const sizeMin = 16 * 1024

const make = () =>
  Effect.runSync(Effect.map(Chance, (chance) => new History(chance)).pipe(Effect.provide(Chance.layer)))

describe("the backlog", () => {
  it("gives the bytes from an offset on, also across the end of the ring", () => {
    const backlog = new Backlog(sizeMin, 0)
    let all = ""
    for (let i = 0; all.length < 3 * sizeMin; i++) {
      const piece = String(i).repeat((i % 50) + 1)
      backlog.write(piece)
      all += piece
      const { firstOffset, length } = backlog
      expect(firstOffset + length).toBe(all.length + 1)
      const from = firstOffset + ((i * 7919) % (length + 1))
      expect(backlog.from(from)).toBe(all.slice(from - 1))
    }
    expect(backlog.length).toBe(sizeMin)
    expect(backlog.from(backlog.firstOffset)).toBe(all.slice(-sizeMin))
  })

  it("has what it holds and the next byte, and nothing else", () => {
    const backlog = new Backlog(sizeMin, 100)
    expect([100, 101, 102].map((offset) => backlog.has(offset))).toEqual([false, true, false])
    backlog.write("abc")
    expect([100, 101, 104, 105].map((offset) => backlog.has(offset))).toEqual([false, true, true, false])
    expect(backlog.from(102)).toBe("bc")
    expect(backlog.from(104)).toBe("")
  })

  it("keeps the end of what is longer than itself", () => {
    const backlog = new Backlog(sizeMin, 0)
    const text = "x".repeat(sizeMin) + "y".repeat(sizeMin - 1) + "z"
    backlog.write(text)
    expect(backlog.firstOffset).toBe(sizeMin + 1)
    expect(backlog.from(backlog.firstOffset)).toBe(text.slice(sizeMin))
  })

  it("holds no more than fits into a string", () => {
    const backlog = new Backlog(100 * 1024 ** 3, 0)
    expect(backlog.size).toBe(511 * 1024 * 1024)
    backlog.write("abc")
    expect(backlog.from(1)).toBe("abc")
  })

  it("keeps the latest bytes when its size changes", () => {
    const backlog = new Backlog(4 * sizeMin, 0)
    const text = Array.from({ length: 8000 }, (_, i) => i).join("")
    backlog.write(text)
    backlog.resize(sizeMin)
    expect(backlog.from(backlog.firstOffset)).toBe(text.slice(-sizeMin))
    backlog.resize(2 * sizeMin)
    backlog.write("end")
    expect(backlog.from(backlog.firstOffset)).toBe(text.slice(-sizeMin) + "end")
    expect(backlog.firstOffset + backlog.length).toBe(text.length + 4)
  })
})

describe("a history", () => {
  it("selects a database where that is another one than before", () => {
    const history = make()
    const fed: Array<string> = []
    history.followers.push((text) => fed.push(text))
    history.append([{ db: 0, argv: ["SET", "k", "v"] }])
    history.append([{ db: 0, argv: ["DEL", "k"] }])
    history.append([{ db: 3, argv: ["DEL", "k"] }])
    history.selected = -1
    history.append([{ db: 3, argv: ["DEL", "k"] }])
    const del = "*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n"
    const select = (db: number) => `*2\r\n$6\r\nSELECT\r\n$1\r\n${db}\r\n`
    expect(fed).toEqual([
      select(0) + "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n",
      del,
      select(3) + del,
      select(3) + del,
    ])
    expect(history.offset).toBe(fed.join("").length)
  })

  it("keeps its old name as far as it went when it branches off", () => {
    const history = make()
    const { id } = history
    expect(id).toMatch(/^[0-9a-f]{40}$/)
    expect(history.id).toBe(id)
    history.feed("abc")
    history.branch()
    expect(history.id).not.toBe(id)
    expect([history.secondId, history.secondOffset, history.offset]).toEqual([id, 4, 3])
    history.begin()
    expect([history.secondId, history.secondOffset, history.offset]).toEqual([noId, -1, 3])
  })

  it("becomes another server's, with a backlog that begins there", () => {
    const history = make()
    history.keep(sizeMin)
    history.feed("abc")
    history.adopt("f".repeat(40), 1000)
    expect([history.id, history.offset, history.backlog?.firstOffset, history.backlog?.length]).toEqual([
      "f".repeat(40),
      1000,
      1001,
      0,
    ])
  })
})
