/**
 * The stream value by itself: against a naive model (an array of entries), the pending entries of groups in both of their
 * collections, and the bytes of nodes out and in again. What commands answer is in the transcripts and the fuzzer.
 */
import { it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import { describe, expect } from "vitest"
import { RadixCount } from "../src/store/RadixCount.ts"
import { SortedById } from "../src/store/SortedById.ts"
import { Stream } from "../src/store/Stream.ts"
import { Group, type GroupState } from "../src/store/StreamGroup.ts"
import type { StreamId } from "../src/store/StreamId.ts"
import * as Id from "../src/store/StreamId.ts"
import { Entry, StreamNode } from "../src/store/StreamNode.ts"

const limits = { streamNodeMaxBytes: 4096, streamNodeMaxEntries: 100 }
const edges = [
  0n,
  1n,
  127n,
  255n,
  256n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
]
const half = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 20 }) },
  { weight: 1, arbitrary: fc.constantFrom(...edges).map(Id.u64) },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(Id.u64) },
)
const anyId = fc.record({ ms: half, seq: half })
const word = fc.oneof(
  fc.constantFrom(
    "",
    "0",
    "-1",
    "007",
    "-0",
    "127",
    "128",
    "-4096",
    "4095",
    "-4097",
    "32767",
    "8388608",
    "-2147483649",
  ),
  fc.constantFrom("9223372036854775807", "-9223372036854775808", "9223372036854775808", "9007199254740993", "name"),
  fc.string({ maxLength: 8 }).map((s) => Buffer.from(s).latin1Slice()),
  fc.nat({ max: 5000 }).map((length) => "x".repeat(length)),
)
const anyPairs = fc.oneof(
  { weight: 3, arbitrary: word.map((value) => ["f", value]) },
  { weight: 1, arbitrary: fc.array(fc.tuple(word, word), { minLength: 1, maxLength: 4 }).map((pairs) => pairs.flat()) },
)

interface ModelEntry {
  readonly id: StreamId
  readonly pairs: ReadonlyArray<string>
}
const read = (
  stream: Stream,
  start: StreamId = Id.zero,
  end: StreamId = Id.max,
  backwards = false,
): Array<ModelEntry> => {
  const entries: Array<ModelEntry> = []
  const walk = stream.walk(start, end, backwards)
  for (let entry = walk.next(); entry !== undefined; entry = walk.next()) {
    entries.push({ id: Id.make(entry.ms, entry.seq), pairs: entry.pairs() })
  }
  return entries
}

type Step =
  | { readonly _tag: "Append"; readonly id: StreamId; readonly pairs: ReadonlyArray<string> }
  | { readonly _tag: "Delete"; readonly at: number }
  | { readonly _tag: "Keep"; readonly length: number }
  | { readonly _tag: "From"; readonly at: number }
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ _tag: fc.constant("Append" as const), id: anyId, pairs: anyPairs }) },
  { weight: 3, arbitrary: fc.record({ _tag: fc.constant("Delete" as const), at: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("Keep" as const), length: fc.nat({ max: 300 }) }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("From" as const), at: fc.nat() }) },
)

/** A stream and the array it must equal, after the same steps. */
const build = (steps: ReadonlyArray<Step>): readonly [Stream, Array<ModelEntry>] => {
  const stream = new Stream()
  let model: Array<ModelEntry> = []
  for (const step of steps) {
    if (step._tag === "Append") {
      const next = Id.next(stream.lastId)
      const id = Id.compare(step.id, stream.lastId) > 0 ? step.id : next
      if (id === undefined) continue
      stream.append(id, step.pairs, limits)
      model.push({ id, pairs: step.pairs })
    } else if (step._tag === "Delete") {
      const entry = model[step.at % model.length]
      if (entry === undefined) continue
      expect(stream.delete([entry.id, entry.id])).toBe(1)
      model = model.filter((other) => other !== entry)
    } else if (step._tag === "Keep") {
      const trimmed = stream.trim({ to: { _tag: "MaxLength", length: step.length }, approximate: false, limit: 0 })
      expect(trimmed).toBe(Math.max(0, model.length - step.length))
      model = model.slice(trimmed)
    } else {
      const from = model[step.at % model.length]
      if (from === undefined) continue
      const trimmed = stream.trim({ to: { _tag: "MinId", id: from.id }, approximate: false, limit: 0 })
      expect(trimmed).toBe(model.indexOf(from))
      model = model.slice(trimmed)
    }
  }
  return [stream, model]
}

describe("Stream", () => {
  it.prop(
    "agrees with an array of entries",
    [fc.array(anyStep, { maxLength: 400, size: "max" }), anyId, anyId],
    ([steps, a, b]) => {
      const [stream, model] = build(steps)
      expect(stream.length).toBe(model.length)
      expect(stream.firstId).toEqual(model[0]?.id ?? Id.zero)
      expect(read(stream)).toEqual(model)
      const within = model.filter(({ id }) => Id.compare(id, a) >= 0 && Id.compare(id, b) <= 0)
      expect(read(stream, a, b)).toEqual(within)
      expect(read(stream, a, b, true)).toEqual(within.reverse())
      for (const { id, pairs } of model) expect(stream.find(id)?.pairs()).toEqual(pairs)
      expect(stream.find(a) !== undefined).toBe(model.some(({ id }) => Id.equals(id, a)))
    },
  )

  it.prop("is rebuilt from the listpacks of its nodes", [fc.array(anyStep, { maxLength: 300 })], ([steps]) => {
    const [stream, model] = build(steps)
    const again = new Stream()
    for (const node of stream.nodes) {
      const listpack = node.toListpack()
      expect(listpack.length).toBe(node.listpackSize)
      again.addNode(StreamNode.fromListpack(node, listpack)!)
    }
    again.length = stream.length
    expect(read(again)).toEqual(model)
    expect(again.radixNodes()).toBe(stream.radixNodes())
  })

  it.prop(
    "never reads a damaged listpack as something that cannot be walked",
    [
      fc.array(anyPairs, { minLength: 1, maxLength: 6 }),
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 3 }),
    ],
    ([entries, damages]) => {
      const node = StreamNode.make(Id.make(1, 1), entries[0]!)
      entries.forEach((pairs, index) => node.append(Id.make(1, 1 + index), pairs, false))
      const listpack = node.toListpack()
      for (const [at, byte] of damages) listpack[at % listpack.length] = byte
      const again = StreamNode.fromListpack(node, listpack)
      if (again === undefined) return
      const entry = new Entry(again)
      let count = 0
      while (entry.forward()) {
        entry.pairs()
        count++
      }
      expect(count).toBe(again.entries + again.deleted)
    },
  )

  it("copies without sharing", () => {
    const stream = new Stream()
    stream.append(Id.make(1, 1), ["a", "1"], limits)
    stream.append(Id.make(1, 2), ["a", "2"], limits)
    const group = new Group("g", Id.make(1, 2), 2)
    stream.groups.set("g", group)
    group.deliver(Id.make(1, 1), group.addConsumer("c", 5), 7)
    const copy = stream.copy()
    stream.delete([Id.make(1, 1)])
    stream.append(Id.make(1, 3), ["a", "3"], limits)
    group.acknowledge(Id.make(1, 1))
    expect(read(copy).map(({ pairs }) => pairs[1])).toEqual(["1", "2"])
    expect(copy.lastId).toEqual(Id.make(1, 2))
    const pending = copy.groups.get("g")!.pending.first()!
    expect([pending.ms, pending.deliveredMs, pending.deliveries, pending.consumer.name]).toEqual([1, 7, 1, "c"])
    expect(copy.groups.get("g")!.consumers.get("c")!.pending.size).toBe(1)
  })

  it("begins a new node after 100 entries, deleted ones included", () => {
    const stream = new Stream()
    for (let i = 1; i <= 100; i++) stream.append(Id.make(i, 0), ["a", "1"], limits)
    stream.delete([Id.make(50, 0)])
    expect(stream.nodes.size).toBe(1)
    stream.append(Id.make(101, 0), ["a", "1"], limits)
    expect(stream.nodes.size).toBe(2)
    expect(stream.trim({ to: { _tag: "MaxLength", length: 1 }, approximate: true, limit: 0 })).toBe(99)
  })
})

describe("SortedById", () => {
  it.prop(
    "agrees with a sorted array",
    [fc.array(fc.tuple(fc.boolean(), anyId), { maxLength: 600 }), anyId],
    ([steps, probe]) => {
      const sorted = new SortedById<StreamId>()
      const model = new Map<string, StreamId>()
      for (const [add, id] of steps) {
        const known = model.get(Id.format(id))
        if (add) model.set(Id.format(id), id)
        else model.delete(Id.format(id))
        expect(add ? sorted.put(id) : sorted.remove(id)).toBe(known)
      }
      const expected = [...model.values()].sort(Id.compare)
      expect([...sorted]).toEqual(expected)
      expect(sorted.size).toBe(expected.length)
      expect(sorted.first()).toBe(expected[0])
      expect(sorted.last()).toBe(expected[expected.length - 1])
      for (const id of [probe, ...expected.slice(0, 3)]) {
        expect(sorted.get(id)).toBe(expected.find((other) => Id.equals(other, id)))
        expect(sorted.atLeast(id)).toBe(expected.find((other) => Id.compare(other, id) >= 0))
        expect(sorted.after(id)).toBe(expected.find((other) => Id.compare(other, id) > 0))
        expect(sorted.atMost(id)).toBe(expected.findLast((other) => Id.compare(other, id) <= 0))
        expect(sorted.before(id)).toBe(expected.findLast((other) => Id.compare(other, id) < 0))
      }
    },
  )

  it("stays whole while thousands come and go", () => {
    const sorted = new SortedById<StreamId>()
    for (let i = 0; i < 5000; i++) sorted.put(Id.make((i * 7919) % 5000, 0))
    for (let i = 0; i < 5000; i++) if (i % 50 !== 0) sorted.remove(Id.make((i * 31) % 5000, 0))
    const left = [...sorted].map(({ ms }) => ms as number)
    expect(left.length).toBe(sorted.size)
    expect(left).toEqual([...left].sort((a, b) => a - b))
  })
})

describe("RadixCount", () => {
  /** The nodes of a radix tree over 16-byte keys, by building it. */
  const naive = (keys: ReadonlyArray<string>, depth = 0): number => {
    if (depth === 16) return 1
    const children = new Map<string, Array<string>>()
    for (const key of keys) children.set(key[depth]!, [...(children.get(key[depth]!) ?? []), key])
    if (children.size === 1) {
      let end = depth + 1
      while (end < 16 && new Set(keys.map((key) => key[end])).size === 1) end++
      return 1 + naive(keys, end)
    }
    return 1 + [...children.values()].reduce((sum, group) => sum + naive(group, depth + 1), 0)
  }
  const keyOf = ({ ms, seq }: StreamId): string => {
    const bytes = Buffer.alloc(16)
    bytes.writeBigUInt64BE(BigInt(ms), 0)
    bytes.writeBigUInt64BE(BigInt(seq), 8)
    return bytes.latin1Slice()
  }

  it.prop(
    "counts the nodes of the tree that it does not build",
    [fc.array(anyId, { minLength: 1, maxLength: 60 })],
    ([ids]) => {
      const sorted = new SortedById<StreamId>()
      for (const id of ids) sorted.put(id)
      const count = new RadixCount()
      for (const id of sorted) count.append(id)
      const expected = naive([...sorted].map(keyOf))
      expect(count.of(sorted)).toBe(expected)
      count.forget()
      expect(count.of(sorted)).toBe(expected)
    },
  )
})

const contentsOf = ({ pending, consumers }: GroupState): string =>
  JSON.stringify([
    Array.from(pending, ({ ms, consumer, deliveredMs, deliveries }) => [ms, consumer.name, deliveredMs, deliveries]),
    consumers.map(({ name, pending: own }) => [name, Array.from(own, ({ ms }) => ms)]),
  ])

describe("Group", () => {
  it.prop(
    "keeps every pending entry with its group and its owner",
    [
      fc.array(
        fc.tuple(
          fc.constantFrom("deliver", "renew", "acknowledge", "remove", "freeze"),
          fc.constantFrom("a", "b", "c"),
          fc.nat({ max: 300 }),
        ),
        { maxLength: 400, size: "max" },
      ),
    ],
    ([steps]) => {
      const group = new Group("g", Id.zero, 0)
      const owners = new Map<number, string>()
      const frozen: Array<readonly [state: GroupState, then: string]> = []
      for (const [action, name, at] of steps) {
        const consumer = group.consumers.get(name) ?? group.addConsumer(name, 0)
        const id = Id.make(at, 0)
        const pending = group.pending.get(id)
        if (action === "deliver") {
          group.deliver(id, consumer, 1)
          owners.set(at, name)
        } else if (action === "renew" && pending !== undefined) {
          group.renew(pending, consumer, 2, 3)
          owners.set(at, name)
        } else if (action === "acknowledge") {
          expect(group.acknowledge(id)).toBe(owners.delete(at))
        } else if (action === "freeze") {
          frozen.push([group.state(true), contentsOf(group.state(false))])
        } else if (action === "remove") {
          group.removeConsumer(consumer)
          for (const [key, owner] of owners) if (owner === name) owners.delete(key)
        }
      }
      const expected = [...owners].sort(([left], [right]) => left - right)
      expect([...group.pending].map(({ ms, consumer }) => [ms, consumer.name])).toEqual(expected)
      for (const consumer of group.consumers.values()) {
        const own = expected.filter(([, owner]) => owner === consumer.name).map(([ms]) => ms)
        expect([...consumer.pending].map(({ ms }) => ms)).toEqual(own)
      }
      for (const [state, then] of frozen) expect(contentsOf(state)).toBe(then)
    },
  )
})
