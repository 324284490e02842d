/**
 * One value of a snapshot or of a DUMP payload, from whichever of the 25 layouts its type byte names, as plain data.
 *
 * The invariant: a count in the file is never trusted. Elements are read one at a time until the bytes end, so a wrong count costs an
 * error and no memory.
 */
import { parseDoubleLoosely, parseInteger } from "../../bytes/Numbers.ts"
import type { Blob, ByteReader } from "./ByteReader.ts"
import { Container, Damaged, Type } from "./Format.ts"
import { ListpackReader } from "./Listpack.ts"
import type { HashData, ListData, ModuleData, SetData, SortedSetData, ValueData } from "./Model.ts"
import { readIntset, readZiplist, readZipmap } from "./OldEncodings.ts"
import { readStream } from "./Streams.ts"

export const readValue = (reader: ByteReader, type: number): ValueData => {
  switch (type) {
    case Type.string: {
      const text = reader.text()
      return typeof text === "string" ? text : { type: "string", bytes: text }
    }
    case Type.list:
      return list(strings(reader, reader.length()))
    case Type.listZiplist:
      return list(readZiplist(reader.blob()))
    case Type.listQuicklist:
      return readQuicklist1(reader)
    case Type.listQuicklist2:
      return readQuicklist2(reader)
    case Type.set:
      return set(strings(reader, reader.length()))
    case Type.setIntset:
      return set(readIntset(reader.blob()))
    case Type.setListpack:
      return set(readListpack(reader.blob()))
    case Type.hash:
      return hash(reader, strings(reader, 2 * reader.length()))
    case Type.hashZipmap:
      return hash(reader, readZipmap(reader.blob()))
    case Type.hashZiplist:
      return hash(reader, readZiplist(reader.blob()))
    case Type.hashListpack:
      return hash(reader, readListpack(reader.blob()))
    case Type.hashDeadlines:
    case Type.hashDeadlinesPreRelease:
      return readHashDeadlines(reader, type)
    case Type.hashListpackDeadlines:
    case Type.hashListpackDeadlinesPreRelease:
      return readHashListpackDeadlines(reader, type)
    case Type.sortedSet:
    case Type.sortedSetText:
      return readSortedSet(reader, type)
    case Type.sortedSetZiplist:
      return sortedSetOfPairs(reader, readZiplist(reader.blob()))
    case Type.sortedSetListpack:
      return sortedSetOfPairs(reader, readListpack(reader.blob()))
    case Type.stream1:
    case Type.stream2:
    case Type.stream3:
      return readStream(reader, type)
    case Type.module:
      return readModule(reader)
    case Type.modulePreRelease:
      return reader.fail("value of a module of a Redis 4 release candidate, which cannot be skipped")
    default:
      return reader.fail(`unknown value type ${type}`)
  }
}

const list = (items: Array<string>): ListData => ({ type: "list", items })
const set = (members: Array<string>): SetData => ({ type: "set", members })

const strings = (reader: ByteReader, count: number): Array<string> => {
  const values: Array<string> = []
  for (let i = 0; i < count; i++) values.push(reader.string())
  return values
}

const readListpack = (blob: Blob): Array<string> => new ListpackReader(blob).all()

const hash = (reader: ByteReader, entries: Array<string>): HashData => {
  if (entries.length % 2 !== 0) reader.fail("hash field without a value")
  return { type: "hash", entries, deadlines: undefined }
}

const readQuicklist1 = (reader: ByteReader): ListData => {
  const items: Array<string> = []
  for (let nodes = reader.length(); nodes > 0; nodes--) append(items, readZiplist(reader.blob()))
  return list(items)
}

const readQuicklist2 = (reader: ByteReader): ListData => {
  const items: Array<string> = []
  for (let nodes = reader.length(); nodes > 0; nodes--) {
    const container = reader.length()
    if (container === Container.plain) {
      const item = reader.string()
      // An element is plain for its length.
      if (item === "") reader.fail("empty plain quicklist node")
      items.push(item)
    } else if (container === Container.packed) append(items, readListpack(reader.blob()))
    else reader.fail(`unknown quicklist node container ${container}`)
  }
  return list(items)
}

/** Not `push(...more)`: that puts every element on the stack. */
const append = (items: Array<string>, more: ReadonlyArray<string>): void => {
  for (const item of more) items.push(item)
}

const readHashDeadlines = (reader: ByteReader, type: number): HashData => {
  const released = type === Type.hashDeadlines
  // Differences to the earliest deadline, plus one so that 0 can mean none; the release candidates stored times as they were.
  const earliest = released ? reader.milliseconds() : 1
  const entries: Array<string> = []
  const deadlines: Array<number> = []
  for (let count = reader.length(); count > 0; count--) {
    const ttl = reader.length()
    deadlines.push(ttl === 0 ? 0 : earliest + ttl - 1)
    entries.push(reader.string())
    entries.push(reader.string())
  }
  return { type: "hash", entries, deadlines }
}

const readHashListpackDeadlines = (reader: ByteReader, type: number): HashData => {
  if (type === Type.hashListpackDeadlines) reader.milliseconds() // the earliest deadline, which the fields tell
  const blob = reader.blob()
  const triples = readListpack(blob)
  if (triples.length % 3 !== 0) throw new Damaged(blob.offset, "hash field without a value or a deadline")
  const entries: Array<string> = []
  const deadlines: Array<number> = []
  for (let i = 0; i < triples.length; i += 3) {
    const deadline = parseInteger(triples[i + 2])
    if (typeof deadline !== "number" || deadline < 0) throw new Damaged(blob.offset, "hash field with a bad deadline")
    entries.push(triples[i], triples[i + 1])
    deadlines.push(deadline)
  }
  return { type: "hash", entries, deadlines }
}

const readSortedSet = (reader: ByteReader, type: number): SortedSetData => {
  const members: Array<string> = []
  const scores: Array<number> = []
  for (let count = reader.length(); count > 0; count--) {
    members.push(reader.string())
    const score = type === Type.sortedSet ? reader.double() : readTextDouble(reader)
    if (Number.isNaN(score)) reader.fail("score is not a number")
    scores.push(score)
  }
  return { type: "zset", members, scores }
}

const readTextDouble = (reader: ByteReader): number => {
  const length = reader.byte()
  if (length === 255) return -Infinity
  if (length === 254) return Infinity
  if (length === 253) return NaN
  return parseScore(reader, reader.raw(length).latin1Slice())
}

const sortedSetOfPairs = (reader: ByteReader, pairs: ReadonlyArray<string>): SortedSetData => {
  if (pairs.length % 2 !== 0) reader.fail("sorted set member without a score")
  const members: Array<string> = []
  const scores: Array<number> = []
  for (let i = 0; i < pairs.length; i += 2) {
    members.push(pairs[i])
    scores.push(parseScore(reader, pairs[i + 1]))
  }
  return { type: "zset", members, scores }
}

const parseScore = (reader: ByteReader, text: string): number => {
  const score = parseDoubleLoosely(text)
  if (score === undefined || Number.isNaN(score)) reader.fail("score is not a number")
  return score
}

/** What a module's part of a file is made of. */
const ModuleOpcode = { end: 0, signed: 1, unsigned: 2, float: 3, double: 4, string: 5 } as const

const readModule = (reader: ByteReader): ModuleData => {
  const name = moduleName(reader.number())
  skipModuleParts(reader)
  return { type: "module", name }
}

/** Passes over data that a module stored beside the keys; returns the module's name. */
export const skipModuleAux = (reader: ByteReader): string => {
  const name = moduleName(reader.number())
  reader.length() // an opcode that says a number follows
  reader.length() // whether it belongs before or after the keys
  skipModuleParts(reader)
  return name
}

const skipModuleParts = (reader: ByteReader): void => {
  for (;;) {
    const opcode = reader.length()
    switch (opcode) {
      case ModuleOpcode.end:
        return
      case ModuleOpcode.signed:
      case ModuleOpcode.unsigned:
        reader.number()
        break
      case ModuleOpcode.float:
        reader.raw(4)
        break
      case ModuleOpcode.double:
        reader.raw(8)
        break
      case ModuleOpcode.string:
        reader.blob()
        break
      default:
        reader.fail(`unknown module opcode ${opcode}`)
    }
  }
}

const moduleNameChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

/** A module's number is nine chars of six bits, and ten bits of version. */
const moduleName = (id: number | bigint): string => {
  let name = ""
  for (let i = 8; i >= 0; i--) name += moduleNameChars[Number((BigInt(id) >> BigInt(10 + 6 * i)) & 63n)]
  return name
}
