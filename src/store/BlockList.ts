/**
 * The inside of a long list: pushing, popping and trimming at both ends in O(1) an element at any length, access by index
 * in one step a block of up to 128 elements.
 *
 * The idea to hold: the ends are open arrays, the head's in reverse, so that both grow and shrink at their own end. What
 * comes to lie further inside is sealed into blocks, 32 elements at a time. An end gives up 32 elements when it has 64 and
 * takes 32 back when it is empty, so that no sequence of pushes and pops packs the same elements again and again.
 * The invariant: strings in the open ends are flat or cuts of one block's string, never of a received chunk.
 */
import { flat } from "../bytes/Bytes.ts"
import { type Block, blockMax, BlockRing } from "./BlockRing.ts"
import { stringBytes } from "./HeapBytes.ts"
import * as Packed from "./PackedStrings.ts"

/** An open end with this many elements seals half of them. */
const openMax = 64
const sealed = openMax / 2

const isIn = (value: string, block: Block): boolean =>
  typeof block === "string" ? block.indexOf(value) !== -1 : block.includes(value)

/** `items` from `from` up to but not including `to` as a block. */
const blockOf = (items: ReadonlyArray<string>, from: number, to: number): Block =>
  Packed.join("", items, from, to, "") ?? items.slice(from, to)

export class BlockList {
  /** The first elements, the very first one last. */
  #head: Array<string> = []
  #ring = new BlockRing()
  #tail: Array<string> = []
  /** Index of the first element of the segment that `#find` answered last. */
  #foundStart = 0

  /** A list of the `count` elements of a packed string. */
  static of(packed: string, count: number): BlockList {
    const list = new BlockList()
    if (count > 0) list.#ring.addLast(packed, count)
    return list
  }

  get size(): number {
    return this.#head.length + this.#ring.size + this.#tail.length
  }

  /** `value` must be flat. */
  pushHead(value: string): void {
    if (this.#head.push(value) >= openMax) this.#sealHead()
  }

  /** `value` must be flat. */
  pushTail(value: string): void {
    if (this.#tail.push(value) >= openMax) this.#sealTail()
  }

  /** The list must not be empty. */
  popHead(): string {
    if (this.#head.length === 0) this.#openHead()
    return this.#head.pop()!
  }

  /** The list must not be empty. */
  popTail(): string {
    if (this.#tail.length === 0) this.#openTail()
    return this.#tail.pop()!
  }

  /** The element at an index within the list. */
  at(index: number): string {
    const head = this.#head
    if (index < head.length) return head[head.length - 1 - index]
    const segment = this.#find(index)
    const block = this.#block(segment)
    const offset = index - this.#foundStart
    if (typeof block !== "string") return block[offset]
    return Packed.elementAt(block, Packed.offsetOf(block, offset, this.#count(segment)))
  }

  /** Replaces the element at an index within the list. */
  set(index: number, value: string): void {
    this.#splice(index, 1, value)
  }

  /** Puts `value` before the element at `index`, 0 <= index <= size. */
  insert(index: number, value: string): void {
    this.#splice(index, 0, value)
  }

  /** Appends `count` elements from `start` on to `out`; all of them must exist. */
  collect(start: number, count: number, out: Array<string>): void {
    this.visit(start, count, (text, from, to) => out.push(text.substring(from, to)))
  }

  /** Visits `count` elements from `start` on, each as a part of another string; all of them must exist. */
  visit(start: number, count: number, visitor: Packed.Visitor): void {
    let left = count
    let segment = this.#find(start)
    let offset = start - this.#foundStart
    for (; left > 0; segment++, offset = 0) {
      const length = this.#count(segment)
      const taken = Math.min(left, length - offset)
      const block = this.#block(segment)
      if (typeof block === "string") Packed.visit(block, Packed.offsetOf(block, offset, length), taken, visitor)
      else if (segment === 0) {
        for (let i = length - 1 - offset, end = i - taken; i > end; i--) visitor(block[i], 0, block[i].length)
      } else for (let i = offset; i < offset + taken; i++) visitor(block[i], 0, block[i].length)
      left -= taken
    }
  }

  /** Removes `count` elements at the head; there must be so many. */
  removeFirst(count: number): void {
    if (count === this.size) return this.#clear()
    const ring = this.#ring
    let left = count
    const fromHead = Math.min(left, this.#head.length)
    this.#head.length -= fromHead
    left -= fromHead
    while (left > 0 && ring.length > 0) {
      const taken = Math.min(left, ring.count(0))
      ring.cutFirst(taken)
      left -= taken
    }
    if (left > 0) this.#tail.splice(0, left)
  }

  /** Removes `count` elements at the tail; there must be so many. */
  removeLast(count: number): void {
    if (count === this.size) return this.#clear()
    const ring = this.#ring
    let left = count
    const fromTail = Math.min(left, this.#tail.length)
    this.#tail.length -= fromTail
    left -= fromTail
    while (left > 0 && ring.length > 0) {
      const taken = Math.min(left, ring.count(ring.length - 1))
      ring.cutLast(taken)
      left -= taken
    }
    if (left > 0) this.#head.splice(0, left)
  }

  /** As `List.indexesOf`. */
  indexesOf(value: string, fromTail: boolean, skipped: number, limit: number, lookedMax: number): Array<number> {
    const found: Array<number> = []
    const { size } = this
    let looked = 0
    let toSkip = skipped
    for (let n = 0; n <= this.#last && looked < lookedMax; n++) {
      const segment = fromTail ? this.#last - n : n
      const count = this.#count(segment)
      if (isIn(value, this.#block(segment))) {
        const items = this.#items(segment)
        const end = Math.min(count, lookedMax - looked)
        for (let i = 0; i < end; i++) {
          if (items[fromTail ? count - 1 - i : i] !== value) continue
          if (toSkip-- > 0) continue
          found.push(fromTail ? size - 1 - looked - i : looked + i)
          if (found.length === limit) return found
        }
      }
      looked += count
    }
    return found
  }

  /** As `List.removeMatching`. */
  removeMatching(value: string, fromTail: boolean, limit: number): number {
    const before = this.size
    let left = limit
    let isRingChanged = false
    for (let n = 0; n <= this.#last && left > 0; n++) {
      const segment = fromTail ? this.#last - n : n
      if (!isIn(value, this.#block(segment))) continue
      const items = this.#items(segment)
      const kept = without(items, value, fromTail, left)
      left -= items.length - kept.length
      if (segment === 0) this.#head = kept.reverse()
      else if (segment === this.#last) this.#tail = kept
      else if (kept.length < items.length) {
        isRingChanged = true
        this.#ring.replace(segment - 1, blockOf(kept, 0, kept.length), kept.length)
      }
    }
    if (isRingChanged) this.#ring.compact()
    return before - this.size
  }

  *[Symbol.iterator](): IterableIterator<string> {
    for (let segment = 0; segment <= this.#last; segment++) yield* this.#items(segment)
  }

  copy(): BlockList {
    const copy = new BlockList()
    copy.#head = [...this.#head]
    copy.#ring = this.#ring.copy()
    copy.#tail = [...this.#tail]
    return copy
  }

  /** As `Collection.memoryUsage`, a sample being a block. */
  memoryUsage(samples: number): number {
    const ring = this.#ring
    const sampled = samples === 0 ? ring.length : Math.min(samples, ring.length)
    let bytes = 0
    for (let n = 0; n < sampled; n++) bytes += blockBytes(ring.block(n))
    if (sampled > 0) bytes = Math.round((bytes * ring.length) / sampled)
    return bytes + ring.ownBytes + blockBytes(this.#head) + blockBytes(this.#tail)
  }

  #clear(): void {
    this.#head = []
    this.#ring = new BlockRing()
    this.#tail = []
  }

  // The parts of the list in order are its segments: 0 is the head, then come the blocks, and #last is the tail.

  get #last(): number {
    return this.#ring.length + 1
  }

  /** The elements of a segment; those of the head stand in reverse. */
  #block(segment: number): Block {
    return segment === 0 ? this.#head : segment === this.#last ? this.#tail : this.#ring.block(segment - 1)
  }

  #count(segment: number): number {
    return segment > 0 && segment < this.#last ? this.#ring.count(segment - 1) : this.#block(segment).length
  }

  /** The elements of a segment in order. */
  #items(segment: number): Array<string> {
    const block = this.#block(segment)
    if (typeof block === "string") return Packed.unpack(block)
    return segment === 0 ? block.toReversed() : block.slice()
  }

  /** The segment that holds the element at `index`; the tail for an index behind all. */
  #find(index: number): number {
    const headLength = this.#head.length
    this.#foundStart = 0
    if (index < headLength) return 0
    const ring = this.#ring
    if (index >= headLength + ring.size) {
      this.#foundStart = headLength + ring.size
      return this.#last
    }
    const n = ring.find(index - headLength)
    this.#foundStart = headLength + ring.foundStart
    return n + 1
  }

  /** Removes `removed` elements at `index` and puts `value` there. */
  #splice(index: number, removed: 0 | 1, value: string): void {
    const segment = this.#find(index)
    const offset = index - this.#foundStart
    if (segment === 0) {
      this.#head.splice(this.#head.length - offset - removed, removed, flat(value))
      if (this.#head.length >= openMax) this.#sealHead()
    } else if (segment === this.#last) {
      this.#tail.splice(offset, removed, flat(value))
      if (this.#tail.length >= openMax) this.#sealTail()
    } else this.#spliceBlock(segment, offset, removed, value)
  }

  #spliceBlock(segment: number, offset: number, removed: 0 | 1, value: string): void {
    const ring = this.#ring
    const n = segment - 1
    const block = ring.block(n)
    const count = ring.count(n) + 1 - removed
    if (typeof block === "string" && count <= blockMax) {
      const at = Packed.offsetOf(block, offset, ring.count(n))
      const end = removed === 0 ? at : Packed.next(block, at)
      const joined = Packed.joinOne(block.substring(0, at), value, block.substring(end))
      if (joined !== undefined) return ring.replace(n, joined, count)
    }
    const items = this.#items(segment)
    items.splice(offset, removed, flat(value))
    if (count <= blockMax) return ring.replace(n, blockOf(items, 0, count), count)
    const half = count >>> 1
    ring.replace(n, blockOf(items, 0, half), half)
    ring.addAfter(n, blockOf(items, half, count), count - half)
  }

  /** Moves the inner half of the head into a block. */
  #sealHead(): void {
    const ring = this.#ring
    const moved = this.#head.splice(0, sealed)
    const block = ring.length > 0 && ring.count(0) + sealed <= blockMax ? ring.block(0) : undefined
    const joined = typeof block === "string" ? Packed.join("", moved, sealed - 1, -1, block) : undefined
    if (joined !== undefined) ring.replace(0, joined, ring.count(0) + sealed)
    else ring.addFirst(blockOf(moved.reverse(), 0, sealed), sealed)
  }

  /** Moves the inner half of the tail into a block. */
  #sealTail(): void {
    const ring = this.#ring
    const last = ring.length - 1
    const moved = this.#tail.splice(0, sealed)
    const block = last >= 0 && ring.count(last) + sealed <= blockMax ? ring.block(last) : undefined
    const joined = typeof block === "string" ? Packed.join(block, moved, 0, sealed, "") : undefined
    if (joined !== undefined) ring.replace(last, joined, ring.count(last) + sealed)
    else ring.addLast(blockOf(moved, 0, sealed), sealed)
  }

  /** Fills the empty head from what comes after it. */
  #openHead(): void {
    const ring = this.#ring
    const items: Array<string> = []
    // Without blocks, half of the other end: taking turns at both ends stays cheap.
    const taken = ring.length === 0 ? (this.#tail.length + 1) >>> 1 : Math.min(sealed, ring.count(0))
    this.collect(0, taken, items)
    this.removeFirst(taken)
    this.#head = items.reverse()
  }

  /** Fills the empty tail from what comes before it. */
  #openTail(): void {
    const ring = this.#ring
    const items: Array<string> = []
    const taken = ring.length === 0 ? (this.#head.length + 1) >>> 1 : Math.min(sealed, ring.count(ring.length - 1))
    this.collect(this.size - taken, taken, items)
    this.removeLast(taken)
    this.#tail = items
  }
}

/** `items` without the first `limit` that equal `value`, or the last when `fromTail`. */
export const without = (
  items: ReadonlyArray<string>,
  value: string,
  fromTail: boolean,
  limit: number,
): Array<string> => {
  let left = limit
  if (!fromTail) return items.filter((item) => item !== value || left-- <= 0)
  const kept: Array<string> = []
  for (let i = items.length - 1; i >= 0; i--) if (items[i] !== value || left-- <= 0) kept.push(items[i])
  return kept.reverse()
}

/** Heap bytes of an array without its elements. */
const arrayBytes = 48

const blockBytes = (block: Block): number =>
  typeof block === "string"
    ? stringBytes(block.length)
    : block.reduce((bytes, item) => bytes + 8 + stringBytes(item.length), arrayBytes)
