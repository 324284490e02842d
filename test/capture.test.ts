/**
 * The state of one instant, given out in steps while everything changes between them: what is written is what was there when it began,
 * keys and the elements of large collections alike.
 */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { createHash } from "node:crypto"
import { Clock } from "../src/clock/Clock.ts"
import { CommandWriter } from "../src/persistence/log/CommandWriter.ts"
import { LogReader } from "../src/persistence/log/LogText.ts"
import { SnapshotReader } from "../src/persistence/rdb/SnapshotReader.ts"
import { SnapshotWriter } from "../src/persistence/rdb/SnapshotWriter.ts"
import { readStored } from "../src/persistence/rdb/StoreDecoder.ts"
import { Capture } from "../src/persistence/snapshot/Capture.ts"
import * as Elements from "../src/persistence/snapshot/Elements.ts"
import type { Format } from "../src/persistence/snapshot/Slices.ts"
import { Hash } from "../src/store/Hash.ts"
import { List } from "../src/store/List.ts"
import { SetValue } from "../src/store/SetValue.ts"
import { SortedSet } from "../src/store/SortedSet.ts"
import type { Database } from "../src/store/Database.ts"
import { Store, type StoreService } from "../src/store/Store.ts"
import { Stream } from "../src/store/Stream.ts"
import { StringBuffer } from "../src/store/StringBuffer.ts"
import { Group, Pending } from "../src/store/StreamGroup.ts"
import * as Id from "../src/store/StreamId.ts"
import type { Value } from "../src/store/Value.ts"
import { random } from "./support/StoreSuite.ts"
import { defaultLimits as limits } from "./support/limits.ts"

/** What a value holds, as text. */
const contents = (value: Value): string => {
  const found: Array<string> = []
  if (value instanceof SetValue) return `set ${[...value].sort().join()}`
  if (value instanceof List) return `list ${[...value].join()}`
  if (value instanceof Hash) {
    value.forEach((field, content) => found.push(`${field}=${content}@${value.deadline(field)}`))
    return `hash ${found.sort().join()}`
  }
  if (value instanceof SortedSet) {
    value.forEach((member, score) => found.push(`${member}=${score}`))
    return `zset ${found.join()}`
  }
  if (value instanceof Stream) {
    const walk = value.walk({ ms: 0, seq: 0 }, { ms: 1e12, seq: 0 }, false)
    for (let entry = walk.next(); entry !== undefined; entry = walk.next())
      found.push(`${entry.ms} ${entry.pairs().join()}`)
    const groups = value
      .state(false)
      .groups.map(({ name, lastId, entriesRead, pending, consumers }) => [
        `${name} ${Id.format(lastId)} ${entriesRead}`,
        Array.from(pending, ({ ms, consumer, deliveredMs, deliveries }) => [
          ms,
          consumer.name,
          deliveredMs,
          deliveries,
        ]),
        consumers.map((consumer) => [consumer.name, consumer.pending.size]),
      ])
    const past = `${value.length} ${value.lastId.ms} ${value.maxDeletedId.ms} ${value.entriesAdded}`
    return `stream ${past} ${found.join(" ")} ${JSON.stringify(groups)}`
  }
  const text = String(value)
  return text.length < 1000 ? text : `${text.length} ${createHash("sha1").update(text, "latin1").digest("hex")}`
}

const state = (store: StoreService): ReadonlyArray<string> =>
  store.databases
    .flatMap(({ index, keyspace }) =>
      Array.from({ length: keyspace.size }, (_, i) => {
        const key = keyspace.keyAt(i)
        return `${index} ${key} ${keyspace.deadline(key)} ${contents(keyspace.peek(key)!)}`
      }),
    )
    .sort()

const newStore = (): StoreService =>
  Effect.runSync(Store.pipe(Effect.provide(Store.layerMemory({ databases: 2 })), Effect.provide(Clock.layer)))

const add = (value: Value, i: number): void => {
  if (value instanceof SetValue) value.add(`m${i}`, limits)
  else if (value instanceof List) value.pushTail(`i${i}`)
  else if (value instanceof Hash) {
    value.put(`f${i}`, `v${i}`, limits)
    if (i % 7 === 0) value.setDeadline(`f${i}`, 2_000_000_000_000 + i)
  } else if (value instanceof SortedSet) value.put(`m${i}`, i % 50, limits)
  else if (value instanceof Stream) {
    value.append({ ms: i + 1, seq: 0 }, ["f", String(i)], limits)
    if (!value.groups.has("g")) value.groups.set("g", new Group("g", { ms: 0, seq: 0 }, 0))
    const group = value.groups.get("g")!
    const name = `c${i % 3}`
    const consumer = group.consumers.get(name) ?? group.addConsumer(name, 0)
    if (i % 2 === 0) group.deliver({ ms: i + 1, seq: 0 }, consumer, 1000 + i)
  }
}

/** Changes a value of any kind, of at least two elements, somehow. */
const change = (value: Value, below: (bound: number) => number): unknown => {
  const grows = below(2) === 0
  if (value instanceof StringBuffer) return value.bytes.fill(below(256), below(value.length))
  if (value instanceof SetValue) {
    if (grows) value.add(`new${below(99)}`, limits)
    else value.removeAt(below(value.size))
  } else if (value instanceof List) {
    if (grows) value.pushHead("new")
    else if (below(2) === 0) value.set(below(value.size), "changed")
    else value.removeFirst(1 + below(value.size >> 2))
  } else if (value instanceof Hash) {
    const field = value.fieldAt(below(value.size))
    const kind = below(6)
    if (kind < 2) value.put(`f${below(1500)}`, "changed", limits)
    else if (kind === 2) value.put(field, "longer than it was, so that its record moves", limits)
    else if (kind === 3) value.setDeadline(field, below(2) === 0 ? undefined : 1_900_000_000_000 + below(1000))
    else if (kind === 4) value.expireElements(value.nextDeadline + 3)
    else value.remove(field)
  } else if (value instanceof SortedSet) {
    const kind = below(5)
    if (grows) value.put(`m${below(1500)}`, below(1e6), limits)
    else if (kind === 0) value.removeRanks({ start: 0, end: 1 + below(value.size >> 3) })
    else if (kind === 1) value.takeEnd(below(2) === 0, () => {})
    else value.remove(value.memberAt(below(value.size)))
  } else if (value instanceof Stream) {
    const kind = below(6)
    const id = { ms: 1 + below(Number(value.lastId.ms)), seq: 0 }
    const group = value.groups.get("g")
    const pending = group?.pending.atMost(id)
    if (kind === 0) value.delete([id])
    else if (kind === 1)
      value.trim({ to: { _tag: "MaxLength", length: value.length - below(30) }, approximate: false, limit: 0 })
    else if (kind === 2 && pending !== undefined) group!.acknowledge(pending)
    else if (kind === 3 && pending !== undefined)
      group!.renew(pending, [...group!.consumers.values()][below(3)]!, 5000, 2)
    else if (kind === 4) value.lastId = { ms: Number(value.lastId.ms) + 5, seq: 0 }
    else value.append({ ms: Number(value.lastId.ms) + 1, seq: 0 }, ["f", "new"], limits)
  }
}

const kinds = [SetValue, List, Hash, SortedSet, Stream]

const below256 = random(1)
const noise = Buffer.from(Array.from({ length: 70_000 }, () => below256(256)))

const fill = (store: StoreService): void => {
  for (let n = 0; n < 3; n++) {
    for (const [index, Kind] of kinds.entries()) {
      const value = new Kind()
      const size = n === 0 ? 5 : 1100 + index * 97
      for (let i = 0; i < size; i++) add(value, i)
      const db = store.databases[n % 2]!
      db.set(`${Kind.name}:${n}`, value)
      if (n === 1) db.setDeadline(`${Kind.name}:${n}`, 3_000_000_000_000)
    }
  }
  const [first, second] = store.databases
  first!.set("text", "some text that compresses ".repeat(4000))
  second!.set("noise", noise.latin1Slice())
  second!.set("mixed", new StringBuffer(Buffer.concat([noise, Buffer.alloc(50_000)])))
  first!.set("bits", new StringBuffer(Buffer.alloc(100_000)))
}

/** Writes everything in steps, with a change between two of them where one is drawn. */
const write = (store: StoreService, format: Format, seed: number, changes: number): Buffer => {
  const below = random(seed)
  const capture = new Capture(store, (...key) => format.key(...key))
  const pieces: Array<Buffer> = []
  for (let more = true; more;) {
    more = capture.next()
    if (below(100) < 10) pieces.push(Buffer.from(format.take()))
    if (below(100) >= changes) continue
    const db = store.databases[below(2)]!
    if (below(20) === 0) {
      store.databases[0]!.swap(store.databases[1]!)
      continue
    }
    if (db.size === 0) continue
    const key = db.keyspace.keyAt(below(db.size))
    const value = db.write(key)!
    if (below(8) === 0) db.remove(key)
    else if (typeof value === "object" && value.size > 4) change(value, below)
    if (below(4) === 0) db.set(`new:${below(50)}`, "new")
  }
  capture.end()
  pieces.push(format.end())
  return Buffer.concat(pieces)
}

it("a snapshot holds the instant at which it began, whatever changes between its steps", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1 }), fc.constantFrom(0, 5, 60), (seed, changes) => {
      const store = newStore()
      fill(store)
      const before = state(store)
      const writer = new SnapshotWriter({
        compression: true,
        checksum: true,
        limits,
        policy: "noeviction",
        now: () => 0,
      })
      writer.header([])
      const bytes = write(store, writer, seed, changes)
      const read = newStore()
      let db = read.databases[0]!
      const reader = new SnapshotReader<Value | undefined>(
        {
          selectDatabase: (index) => void (db = read.databases[index]!),
          value: (values, type) => readStored(values, type, limits),
          key: (key, value, { expiresAtMs }) => {
            expect(db.keyspace.put(key, value!)).toBe(true)
            if (expiresAtMs !== -1) db.keyspace.setDeadline(key, expiresAtMs)
          },
          functionLibrary: () => {},
          aux: () => {},
          skipped: () => {},
        },
        true,
      )
      reader.feed(bytes, true)
      expect(state(read)).toEqual(before)
    }),
    { numRuns: 12 },
  )
})

/** Runs what a rewritten log holds of a stream. */
const replayStream = (db: Database, [name, ...words]: ReadonlyArray<string>): void => {
  const idOf = (text: string) => Id.make(Number(text.split("-")[0]), Number(text.split("-")[1] ?? 0))
  const key = name === "XGROUP" ? words[1]! : words[0]!
  if (db.peek(key) === undefined) db.set(key, new Stream())
  const stream = db.peek(key) as Stream
  if (name === "XADD") stream.append(idOf(words[1]!), words.slice(2), limits)
  else if (name === "XSETID") {
    stream.lastId = idOf(words[1]!)
    stream.entriesAdded = Number(words[3])
    stream.maxDeletedId = idOf(words[5]!)
  } else if (name === "XGROUP" && words[0] === "CREATE") {
    stream.groups.set(
      words[2]!,
      new Group(words[2]!, idOf(words[3]!), words[5] === "-1" ? undefined : Number(words[5])),
    )
  } else if (name === "XGROUP") stream.groups.get(words[2]!)!.addConsumer(words[3]!, 0)
  else {
    const group = stream.groups.get(words[1]!)!
    group.addPending(new Pending(idOf(words[4]!), group.consumers.get(words[2]!)!, Number(words[6]), Number(words[8])))
  }
}

it("so does the base of a log that is written as commands", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1 }), fc.constantFrom(5, 60), (seed, changes) => {
      const store = newStore()
      fill(store)
      const before = state(store)
      const bytes = write(store, new CommandWriter([], undefined), seed, changes)
      const read = newStore()
      let db = read.databases[0]!
      const reader = new LogReader({
        timestamp: () => true,
        command: ([name, key, ...words]) => {
          if (name === "SELECT") return void (db = read.databases[Number(key)]!)
          if (name!.startsWith("X")) return replayStream(db, [name!, key!, ...words])
          if (name === "PEXPIREAT") return db.setDeadline(key!, Number(words[0]))
          const Kind = { SADD: SetValue, RPUSH: List, HSET: Hash, HPEXPIREAT: Hash, ZADD: SortedSet }[name!]
          if (Kind === undefined) return db.set(key!, words[0]!)
          if (db.peek(key!) === undefined) db.set(key!, new Kind())
          const value = db.peek(key!)!
          if (name === "HPEXPIREAT") (value as Hash).setDeadline(words[3]!, Number(words[0]))
          else if (value instanceof SetValue) for (const word of words) value.add(word, limits)
          else if (value instanceof List) for (const word of words) value.pushTail(word)
          else if (value instanceof Hash) value.putAll(words, 0, limits)
          else if (value instanceof SortedSet)
            for (let i = 0; i < words.length; i += 2) value.put(words[i + 1]!, Number(words[i]), limits)
        },
      })
      reader.feed(bytes)
      expect(state(read)).toEqual(before)
    }),
    { numRuns: 15 },
  )
})

it("a large collection is given out to its end though its key, or all of its database, goes meanwhile", () => {
  for (const go of [(db: Database) => db.clear(), (db: Database) => db.remove("key")]) {
    const store = newStore()
    const db = store.databases[0]!
    const [set, other] = [new SetValue(), new SetValue()]
    for (let i = 0; i < 5000; i++) {
      set.add(`member:${i}`, limits)
      other.add(`member:${i}`, limits)
    }
    db.set("key", set)
    const given = new Set<string>()
    const nothing = () => {}
    const rest = () => [].values()
    const visitor = { field: nothing, scored: nothing, item: nothing, node: nothing, rest, end: nothing }
    const capture = new Capture(store, (_db, _key, value) =>
      Elements.of(value, { ...visitor, member: (member) => void given.add(member) }),
    )
    capture.next()
    go(db)
    // One that nobody is giving out goes at once.
    store.databases[1]!.set("other", other)
    store.databases[1]!.remove("other")
    while (store.dropped.step());
    expect(other.memoryUsage()).toBeLessThan(3000)
    while (capture.next());
    capture.end()
    expect(capture.isLost).toBe(false)
    expect(given.size).toBe(5000)
  }
})
