/**
 * Values of a snapshot or of a DUMP payload in the layouts that redis-server 7.0.15 writes. Which layout a value gets is decided where
 * the store is known; here is how each is written, from whatever yields the elements.
 *
 * The idea to hold: elements come as iterables, so that a large value is not copied before it is written.
 */
import { formatDouble, parseInteger } from "../../bytes/Numbers.ts"
import type { ByteWriter } from "./ByteWriter.ts"
import { Container } from "./Format.ts"
import type { ListpackWriter } from "./Listpack.ts"
import type { HashData } from "./Model.ts"
import { writeIntset } from "./OldEncodings.ts"

/** `Type.set`, and `Type.hash` with `count` fields and twice as many strings. */
export const writeStrings = (out: ByteWriter, count: number, values: Iterable<string>): void => {
  out.length(count)
  for (const value of values) out.string(value)
}

/** `Type.setIntset`: every member is an integer. */
export const writeIntegers = (out: ByteWriter, members: Iterable<string>): void => {
  const integers: Array<number | bigint> = []
  for (const member of members) integers.push(parseInteger(member)!)
  writeIntset(out, integers)
}

/** Nodes of a list hold at most this many bytes where the setting counts elements. */
const nodeBytesSafe = 8192
/** What Redis assumes an element costs beside its bytes when it looks whether a node has room. */
const elementOverhead = 8
/** Elements from this size on are a node of their own, without a listpack around. */
const plainLengthMin = 1 << 30

/** The limits of a node for the setting `list-max-listpack-size`: positive counts elements, -1 to -5 mean 4 to 64 KiB. */
const nodeLimits = (setting: number): { readonly bytes: number; readonly elements: number } =>
  setting >= 0
    ? { bytes: nodeBytesSafe, elements: Math.max(1, setting) }
    : { bytes: 4096 << (Math.min(-setting, 5) - 1), elements: Infinity }

/** `Type.listQuicklist2`. The number of nodes stands first, so nodes are laid out beside and then copied in. */
export const writeQuicklist = (
  out: ByteWriter,
  nodes: ByteWriter,
  pack: ListpackWriter,
  items: Iterable<string>,
  setting: number,
): void => {
  const { bytes, elements } = nodeLimits(setting)
  nodes.clear()
  pack.clear()
  let count = 0
  const finish = (): void => {
    if (pack.count === 0) return
    nodes.length(Container.packed)
    pack.writeTo(nodes)
    count++
  }
  for (const item of items) {
    if (item.length >= plainLengthMin) {
      finish()
      nodes.length(Container.plain)
      nodes.string(item)
      count++
      continue
    }
    if (pack.count > 0 && (pack.size + item.length + elementOverhead > bytes || pack.count >= elements)) finish()
    pack.string(item)
  }
  finish()
  out.length(count)
  out.raw(nodes.written)
}

/** `Type.sortedSetListpack`: members by ascending score. */
export const writeSortedSetListpack = (
  out: ByteWriter,
  pack: ListpackWriter,
  members: ReadonlyArray<string>,
  scores: ArrayLike<number>,
): void => {
  pack.clear()
  for (let i = 0; i < members.length; i++) {
    pack.string(members[i])
    pack.string(formatDouble(scores[i]))
  }
  pack.writeTo(out)
}

/** `Type.sortedSet`: members by ascending score; the file has them in descending order, which makes loading append. */
export const writeSortedSet = (out: ByteWriter, members: ReadonlyArray<string>, scores: ArrayLike<number>): void => {
  out.length(members.length)
  for (let i = members.length - 1; i >= 0; i--) {
    out.string(members[i])
    out.double(scores[i])
  }
}

/** `Type.hashDeadlines`; fields without a deadline have 0. */
export const writeHashDeadlines = (out: ByteWriter, hash: HashData): void => {
  const deadlines = hash.deadlines ?? []
  let earliest = Infinity
  for (const deadline of deadlines) if (deadline > 0 && deadline < earliest) earliest = deadline
  out.milliseconds(earliest === Infinity ? 0 : earliest)
  out.length(hash.entries.length / 2)
  for (let i = 0; i < hash.entries.length; i += 2) {
    const deadline = deadlines[i / 2] ?? 0
    out.length(deadline === 0 ? 0 : deadline - earliest + 1)
    out.string(hash.entries[i])
    out.string(hash.entries[i + 1])
  }
}
