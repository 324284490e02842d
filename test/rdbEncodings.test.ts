/**
 * Every layout that Redis 2.8 to 7.4 has written, built byte by byte from the format where redis-server 7.0.15 does not write it any more,
 * or not yet; and what damage of any of them does.
 */
import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Crc64 } from "../src/bytes/Crc64.ts"
import { parseInteger } from "../src/bytes/Numbers.ts"
import { ByteReader } from "../src/persistence/rdb/ByteReader.ts"
import { ByteWriter } from "../src/persistence/rdb/ByteWriter.ts"
import { Container, Damaged, Opcode, Type } from "../src/persistence/rdb/Format.ts"
import { ListpackWriter } from "../src/persistence/rdb/Listpack.ts"
import { compress, decompress } from "../src/persistence/rdb/Lzf.ts"
import type { ValueData } from "../src/persistence/rdb/Model.ts"
import { writeIntset } from "../src/persistence/rdb/OldEncodings.ts"
import * as PackedValues from "../src/persistence/rdb/PackedValues.ts"
import { readValue } from "../src/persistence/rdb/ReadValue.ts"
import { type KeyAttributes, SnapshotReader } from "../src/persistence/rdb/SnapshotReader.ts"
import { limitsFor, readStored, toStore } from "../src/persistence/rdb/StoreDecoder.ts"
import { Hash } from "../src/store/Hash.ts"
import { List } from "../src/store/List.ts"
import { SetValue } from "../src/store/SetValue.ts"
import { SortedSet } from "../src/store/SortedSet.ts"
import type { Value } from "../src/store/Value.ts"
import { defaultLimits as limits } from "./support/limits.ts"

type Part = number | string | Buffer

/** Bytes, byte strings and buffers, one after the other. */
const bytes = (...parts: ReadonlyArray<Part>): Buffer =>
  Buffer.concat(
    parts.map((part) =>
      typeof part === "number" ? Buffer.of(part & 255) : typeof part === "string" ? Buffer.from(part, "latin1") : part,
    ),
  )
const le = (size: number, value: number): Buffer => {
  const buffer = Buffer.alloc(size)
  for (let i = 0, rest = value; i < size; i++, rest = Math.floor(rest / 256)) buffer[i] = ((rest % 256) + 256) % 256
  return buffer
}
/** A string of a snapshot. */
const string = (value: Part): Buffer => {
  const content = bytes(value)
  return content.length < 64
    ? bytes(content.length, content)
    : bytes(0x40 | (content.length >> 8), content.length, content)
}

/** A ziplist of entries given as encoding and content; the length of the entry before stands in front of each. */
const ziplist = (...entries: ReadonlyArray<Buffer>): Buffer => {
  let previous = 0
  const all = entries.map((entry) => {
    const whole = bytes(...(previous < 254 ? [previous] : [254, le(4, previous)]), entry)
    previous = whole.length
    return whole
  })
  const body = Buffer.concat(all)
  return bytes(
    le(4, 11 + body.length),
    le(4, 10 + body.length - (all.at(-1)?.length ?? 0)),
    le(2, entries.length),
    body,
    255,
  )
}
const zipString = (value: string): Buffer =>
  value.length < 64
    ? bytes(value.length, value)
    : value.length < 16384
      ? bytes(0x40 | (value.length >> 8), value.length, value)
      : bytes(0x80, le(4, value.length).reverse(), value)

const listpack = (...elements: ReadonlyArray<string>): Buffer => {
  const body = elements.map((value) => {
    const element =
      /^\d+$/.test(value) && Number(value) < 128 ? bytes(Number(value)) : bytes(0x80 | value.length, value)
    return bytes(element, element.length)
  })
  return bytes(le(4, 7 + Buffer.concat(body).length), le(2, elements.length), ...body, 255)
}

const read = (type: number, ...parts: ReadonlyArray<Part>): ValueData => {
  const reader = new ByteReader(bytes(...parts))
  const value = readValue(reader, type)
  expect(reader.position).toBe(reader.bytes.length)
  return value
}

const long = "l".repeat(300)
const longer = "m".repeat(20000)

describe("values of old and new files", () => {
  it("reads every entry of a ziplist", () => {
    const list = ziplist(
      ...[zipString(""), zipString("text"), zipString(long), zipString(longer)],
      ...[bytes(0xf1), bytes(0xfd), bytes(0xfe, -100), bytes(0xc0, le(2, -30000)), bytes(0xf0, le(3, -8000000))],
      ...[bytes(0xd0, le(4, -2000000000)), bytes(0xe0, Buffer.of(0, 0, 0, 0, 0, 0, 0, 0x80))],
    )
    const items = [
      "",
      "text",
      long,
      longer,
      "0",
      "12",
      "-100",
      "-30000",
      "-8000000",
      "-2000000000",
      "-9223372036854775808",
    ]
    expect(read(Type.listZiplist, 0x80, le(4, list.length).reverse(), list)).toEqual({ type: "list", items })
    const half = string(ziplist(zipString("a"), bytes(0xf3)))
    expect(read(Type.listQuicklist, 2, half, half)).toEqual({ type: "list", items: ["a", "2", "a", "2"] })
    expect(read(Type.hashZiplist, string(ziplist(zipString("f"), bytes(0xf2))))).toEqual({
      type: "hash",
      entries: ["f", "1"],
      deadlines: undefined,
    })
    expect(
      read(Type.sortedSetZiplist, string(ziplist(zipString("m"), zipString("1.5"), zipString("n"), bytes(0xf3)))),
    ).toEqual({
      type: "zset",
      members: ["m", "n"],
      scores: [1.5, 2],
    })
  })
  it("reads a zipmap with unused bytes and a long value", () => {
    const map = bytes(2, 1, "a", 2, 0, "vw", 3, "key", 254, le(4, 300), 3, long, "xxx", 255)
    expect(read(Type.hashZipmap, string(map))).toEqual({
      type: "hash",
      entries: ["a", "vw", "key", long],
      deadlines: undefined,
    })
  })
  it.each([
    [2, ["-300", "5"]],
    [4, ["-70000", "5"]],
    [8, ["-9223372036854775808", "5", "9223372036854775807"]],
  ])("reads an intset of %i-byte integers", (width, members) => {
    const out = new ByteWriter(64, false)
    writeIntset(
      out,
      members.map((member) => (Number.isSafeInteger(Number(member)) ? Number(member) : BigInt(member))),
    )
    expect(out.bytes[1]).toBe(width)
    expect(read(Type.setIntset, out.written)).toEqual({ type: "set", members })
  })
  it("reads sorted sets with scores as text", () => {
    expect(
      read(Type.sortedSetText, 4, string("a"), 3, "1.5", string("b"), 254, string("c"), 255, string("d"), 1, "2"),
    ).toEqual({
      type: "zset",
      members: ["a", "b", "c", "d"],
      scores: [1.5, Infinity, -Infinity, 2],
    })
    expect(() => read(Type.sortedSetText, 1, string("a"), 253)).toThrow("score is not a number")
  })
  it("reads sets in listpacks as Redis 7.2 writes them", () => {
    expect(read(Type.setListpack, string(listpack("a", "12")))).toEqual({ type: "set", members: ["a", "12"] })
  })
  it("reads plain and packed nodes of a list", () => {
    expect(read(Type.listQuicklist2, 2, 1, string("large"), 2, string(listpack("a", "1")))).toEqual({
      type: "list",
      items: ["large", "a", "1"],
    })
    expect(() => read(Type.listQuicklist2, 1, 3, string("x"))).toThrow("container")
  })
  it("reads deadlines of hash fields as Redis 7.4 and its release candidates write them", () => {
    const entries = ["f", "v", "g", "w"]
    const at = 1_700_000_000_000
    const later = at + 99
    expect(read(Type.hashDeadlines, le(8, at), 2, 1, string("f"), string("v"), 0, string("g"), string("w"))).toEqual({
      ...{ type: "hash", entries },
      deadlines: [at, 0],
    })
    expect(
      read(Type.hashDeadlines, le(8, at), 2, 1, string("f"), string("v"), 0x40, 100, string("g"), string("w")),
    ).toEqual({
      ...{ type: "hash", entries },
      deadlines: [at, later],
    })
    const absolute = bytes(0x81, le(8, at).reverse())
    expect(
      read(Type.hashDeadlinesPreRelease, 2, absolute, string("f"), string("v"), 0, string("g"), string("w")),
    ).toEqual({
      ...{ type: "hash", entries },
      deadlines: [at, 0],
    })
    const pack = string(listpack("f", "v", "99", "g", "w", "0"))
    expect(read(Type.hashListpackDeadlines, le(8, 99), pack)).toEqual({ type: "hash", entries, deadlines: [99, 0] })
    expect(read(Type.hashListpackDeadlinesPreRelease, pack)).toEqual({ type: "hash", entries, deadlines: [99, 0] })
  })
  it("reads streams of all three versions", () => {
    const master = listpack("1", "0", "1", "f", "0", "2", "0", "0", "v", "4")
    const id = Buffer.alloc(16)
    id[7] = 9
    id[15] = 1
    const node = bytes(1, string(id), string(master))
    const counters = bytes(1, 9, 1)
    const more = bytes(9, 1, 0, 0, 1)
    const pending = bytes(id, le(8, 1000), 1)
    const consumer = (...active: ReadonlyArray<Part>) => bytes(1, string("c"), le(8, 2000), ...active, 1, id)
    const group = (read: ReadonlyArray<Part>, ...active: ReadonlyArray<Part>) =>
      bytes(1, string("g"), 9, 1, ...read, 1, pending, consumer(...active))
    for (const [type, body] of [
      [Type.stream1, bytes(node, counters, group([]))],
      [Type.stream2, bytes(node, counters, more, group([1]))],
      [Type.stream3, bytes(node, counters, more, group([1], le(8, 1500)))],
    ] as const) {
      const data = read(type, body)
      expect(data).toMatchObject({ type: "stream", length: 1, lastId: { ms: 9, seq: 1 }, entriesAdded: 1 })
      const value = toStore(data as Exclude<ValueData, { readonly type: "module" }>, limitsFor(type, limits), 0)
      expect(value).toMatchObject({ length: 1, firstId: { ms: 9, seq: 1 }, lastId: { ms: 9, seq: 1 } })
    }
  })
  it("names the module whose value it passes over", () => {
    // The name is nine chars of six bits: "BBBBBBBBB" is 1 in each, then ten bits of version.
    const id = bytes(
      0x81,
      Buffer.from(
        ((0b000001000001000001000001000001000001000001000001000001n << 10n) | 1n).toString(16).padStart(16, "0"),
        "hex",
      ),
    )
    expect(read(Type.module, id, 2, 7, 5, string("data"), 4, Buffer.alloc(8), 3, Buffer.alloc(4), 1, 3, 0)).toEqual({
      type: "module",
      name: "BBBBBBBBB",
    })
    expect(() => read(Type.module, id, 9)).toThrow("unknown module opcode 9")
  })
})

interface Seen {
  readonly keys: Array<readonly [db: number, key: string, value: ValueData, attributes: KeyAttributes]>
  readonly others: Array<string>
}

/** Reads a whole file in chunks of `chunkSize`. */
const readFile = (file: Buffer, chunkSize = file.length): Seen => {
  const seen: Seen = { keys: [], others: [] }
  let db = 0
  const reader = new SnapshotReader<ValueData>(
    {
      selectDatabase: (index) => void (db = index),
      value: readValue,
      key: (key, value, attributes) => void seen.keys.push([db, key, value, attributes]),
      functionLibrary: (source) => void seen.others.push(`library ${source}`),
      aux: (name, value) => void seen.others.push(`${name}=${value}`),
      skipped: (reason) => void seen.others.push(reason),
    },
    true,
  )
  for (let at = 0; at < file.length && !reader.done; at += chunkSize)
    reader.feed(file.subarray(at, at + chunkSize), false)
  if (!reader.done) reader.feed(Buffer.alloc(0), true)
  return seen
}

const sealed = (...parts: ReadonlyArray<Part>): Buffer => {
  const body = bytes(...parts, Opcode.end)
  const footer = Buffer.alloc(8)
  new Crc64().update(body).write(footer, 0)
  return Buffer.concat([body, footer])
}

const never = { expiresAtMs: -1, idleSeconds: -1, frequency: -1 }

describe("files", () => {
  it("reads what stands beside the keys", () => {
    const file = sealed(
      ...["REDIS0012", Opcode.aux, string("redis-ver"), string("7.4.0")],
      ...[
        Opcode.function,
        string("#!lua name=x\n"),
        Opcode.selectDatabase,
        3,
        Opcode.resize,
        2,
        1,
        Opcode.slotInfo,
        1,
        2,
        3,
      ],
      ...[Opcode.expireSeconds, le(4, 2_000_000_000), Type.string, string("seconds"), string("v")],
      ...[Opcode.expireMs, le(8, 2_000_000_000_123), Opcode.idle, 40, Type.string, string("idle"), 0xc1, le(2, -300)],
      ...[Opcode.frequency, 7, Type.string, string("frequent"), string("v")],
      ...[Opcode.moduleAux, 0x81, Buffer.alloc(8), 2, 1, 0],
    )
    for (const chunkSize of [1, 7, 64, file.length]) {
      expect(readFile(file, chunkSize)).toEqual({
        keys: [
          [3, "seconds", "v", { ...never, expiresAtMs: 2_000_000_000_000 }],
          [3, "idle", "-300", { ...never, expiresAtMs: 2_000_000_000_123, idleSeconds: 40 }],
          [3, "frequent", "v", { ...never, frequency: 7 }],
        ],
        others: ["redis-ver=7.4.0", "library #!lua name=x\n", "data of the module AAAAAAAAA was passed over"],
      })
    }
  })
  it("reads files from before there was a checksum, and files written without one", () => {
    const body = bytes("REDIS0004", Opcode.selectDatabase, 0, Type.string, string("k"), string("v"), Opcode.end)
    expect(readFile(body).keys).toHaveLength(1)
    const without = bytes("REDIS0009", Type.string, string("k"), string("v"), Opcode.end, Buffer.alloc(8))
    expect(readFile(without).keys).toHaveLength(1)
  })
  it.each<[reason: string, offset: number, ...file: ReadonlyArray<Part>]>([
    ["not a snapshot", 0, "REDIX0010"],
    ["version 13", 0, "REDIS0013"],
    ["unknown opcode or value type 30", 9, "REDIS0010", 30, string("k")],
    ["unknown string encoding 5", 12, "REDIS0010", Type.string, string("k"), 0xc5],
    ["unexpected end", 13, "REDIS0010", Type.string, string("k"), 5, "abc"],
    ["length out of range", 23, "REDIS0010", Type.string, string("k"), 0xc3, 2, 0x81, Buffer.alloc(8, 1)],
    ["impossible length", 13, "REDIS0010", Type.string, string("k"), 0xc3, 2, 0x80, 0x0f, 255, 255, 255, 0, 0],
    ["longer than this server can hold", 11, "REDIS0010", Type.string, 0xc3, 2, 0x80, 0x7f, 255, 255, 255, 0, 0],
    ["release candidate", 10, "REDIS0010", Opcode.functionPreRelease],
    ["wrong checksum", 10, "REDIS0010", Opcode.end, Buffer.alloc(8, 1)],
  ])("refuses a file and says: %s, at byte %i", (reason, offset, ...file) => {
    try {
      readFile(bytes(...file))
    } catch (cause) {
      expect(cause).toBeInstanceOf(Damaged)
      expect((cause as Damaged).message).toContain(reason)
      expect((cause as Damaged).offset).toBe(offset)
      return
    }
    throw new Error("read without an error")
  })
})

describe("compression", () => {
  it("gives back what it took, and never writes beyond its limits", () => {
    const compressible = fc
      .array(fc.constantFrom("a", "b", "ab", "abcabc", "\x00"), { maxLength: 200 })
      .map((parts) => parts.join(""))
    fc.assert(
      fc.property(compressible, (text) => {
        const input = Buffer.from(text, "latin1")
        const output = Buffer.alloc(input.length + 16, 0xee)
        const end = compress(input, output, 3, input.length)
        if (end < 0) return
        expect(end).toBeLessThanOrEqual(3 + input.length)
        const back = Buffer.alloc(input.length)
        expect(decompress(output, 3, end, back, back.length)).toBe(true)
        expect(back.equals(input)).toBe(true)
        expect(decompress(output, 3, end, back, back.length - 1)).toBe(false)
      }),
    )
  })
})

describe("small collections", () => {
  const element = fc.oneof(
    fc.constantFrom(
      "",
      "0",
      "-0",
      "a",
      "b",
      "9",
      "10",
      "99",
      "100",
      "127",
      "128",
      "-1",
      "4095",
      "-4097",
      "70000",
      "1e3",
      "2.5",
    ),
    fc.integer().map(String),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
    fc.double({ noNaN: true }).map(String),
    fc.nat(80).map((length) => "x".repeat(length)),
    fc.constantFrom(200, 255, 256, 3000).map((length) => "y".repeat(length)),
  )
  const contents = (read: () => Value | undefined): unknown => {
    try {
      const value = read()
      if (value instanceof List) return ["list", [...value]]
      if (value instanceof SetValue) {
        const members = [...value]
        expect(members.every((member) => value.has(member))).toBe(true)
        return ["set", value.encoding, value.size, members.sort()]
      }
      if (!(value instanceof Hash || value instanceof SortedSet)) return value
      const found: Array<readonly [string, string | number]> = []
      value.forEach((member: string, of: string | number) => found.push([member, of]))
      return [
        value.type,
        value.encoding,
        value.size,
        found,
        found.map(([member]) => (value instanceof Hash ? value.get(member) : value.rank(member))),
      ]
    } catch (cause) {
      if (!(cause instanceof Damaged)) throw cause
      return cause.message
    }
  }
  it("are the same however they are read", () => {
    let packed = 0
    fc.assert(
      fc.property(
        fc.constantFrom(Type.hashListpack, Type.sortedSetListpack, Type.listQuicklist2, Type.set, Type.setIntset),
        fc.array(element, { maxLength: 20 }),
        fc.boolean(),
        fc.boolean(),
        (type, drawn, sorted, compression) => {
          let elements = drawn
          if (type === Type.sortedSetListpack && sorted) {
            const scores = drawn
              .map(Number)
              .filter((score) => !Number.isNaN(score))
              .sort((a, b) => a - b)
            elements = scores.flatMap((score, index) => [`m${index}`, String(score)])
          }
          const pack = new ListpackWriter()
          const out = new ByteWriter(100, compression)
          for (const one of elements) pack.string(one)
          if (type === Type.listQuicklist2) for (const head of [1, Container.packed]) out.length(head)
          if (type === Type.set) {
            if (sorted) elements = [...new Set(elements)]
            out.length(elements.length)
            for (const one of elements) out.string(one)
          } else if (type === Type.setIntset) {
            const integers = elements.map(parseInteger).filter((integer) => integer !== undefined)
            writeIntset(
              out,
              sorted ? [...new Set(integers)].filter((one) => Math.abs(Number(one)) < 2 ** 31) : integers,
            )
          } else pack.writeTo(out)
          const reader = () => new ByteReader(Buffer.from(out.written))
          if (PackedValues.read(reader(), type, limits) !== undefined) packed++
          const long = () =>
            toStore(
              readValue(reader(), type) as Exclude<ValueData, { readonly type: "module" }>,
              limitsFor(type, limits),
              0,
            )
          expect(contents(() => readStored(reader(), type, limits) as Value | undefined)).toEqual(contents(long))
        },
      ),
      { numRuns: 1200 },
    )
    expect(packed).toBeGreaterThan(300)
  })
})

describe("damaged files", () => {
  const fixture = readFileSync(join(import.meta.dirname, "fixtures", "redis-7.0.15.rdb"))

  /** Reads a file and makes values of the store of all of it; the reason where that is refused. */
  const load = (file: Buffer): string => {
    try {
      // Without the check of the sum, or nothing damaged would get further.
      const reader = new SnapshotReader(
        {
          selectDatabase: () => {},
          value: (values, type) => readStored(values, type, limits),
          key: () => {},
          functionLibrary: () => {},
          aux: () => {},
          skipped: () => {},
        },
        false,
      )
      reader.feed(file, true)
      return "loaded"
    } catch (cause) {
      if (!(cause instanceof Damaged)) throw cause
      expect(cause.offset).toBeLessThanOrEqual(file.length)
      return cause.message
    }
  }

  it("load as something the format permits, or are refused with an offset", () => {
    const flips = fc.array(fc.tuple(fc.nat(fixture.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 })
    const repeat = fc.option(fc.tuple(fc.nat(fixture.length - 1), fc.nat(200)))
    const cut = fc.option(fc.nat(fixture.length))
    let refused = 0
    fc.assert(
      fc.property(flips, repeat, cut, (changes, again, size) => {
        let file = Buffer.from(fixture)
        for (const [at, value] of changes) file[at] = value
        if (again !== null) {
          const [at, count] = again
          file = Buffer.concat([file.subarray(0, at), file.subarray(at, at + count), file.subarray(at)])
        }
        if (size !== null) file = file.subarray(0, size)
        if (load(file) !== "loaded") refused++
      }),
      { numRuns: 400 },
    )
    expect(refused).toBeGreaterThan(0)
  })
})
