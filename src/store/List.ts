/**
 * A list: elements in order, cheap at both ends. Negative indexes, options and errors are the commands' business.
 *
 * The idea to hold: a short list is one packed string, any other a `BlockList`; neither choice shows, and a list that has
 * grown stays a `BlockList`. OBJECT ENCODING says `quicklist` for every list, as redis-server 7.0 does.
 */
import { flat } from "../bytes/Bytes.ts"
import { BlockList, without } from "./BlockList.ts"
import { blockMax } from "./BlockRing.ts"
import * as Packed from "./PackedStrings.ts"
import type { Collection } from "./Value.ts"

/** A packed list with more bytes becomes a `BlockList`: copying them would cost more than a push is allowed to. */
const packedLengthMax = 2048

export class List implements Collection {
  /** The elements, while there is no `#blocks`. */
  #packed = ""
  #packedCount = 0
  #blocks: BlockList | undefined

  /** What is longer, or has more elements, is not packed. */
  static readonly packedLengthMax = packedLengthMax
  static readonly packedCountMax = blockMax

  /** A list of `count` elements in the form of `PackedStrings`. */
  static ofPacked(packed: string, count: number): List {
    const list = new List()
    list.#packed = packed
    list.#packedCount = count
    return list
  }

  /** A list of copies of `items`. */
  static from(items: ReadonlyArray<string>): List {
    const list = new List()
    list.#assign(items)
    return list
  }

  get type(): "list" {
    return "list"
  }

  get encoding(): "quicklist" {
    return "quicklist"
  }

  get size(): number {
    return this.#blocks === undefined ? this.#packedCount : this.#blocks.size
  }

  /** Adds a copy of `value` before the first element. */
  pushHead(value: string): void {
    const blocks = this.#blocks ?? this.#blocksFor(value)
    if (blocks !== undefined) blocks.pushHead(flat(value))
    else {
      this.#packed = Packed.joinOne("", value, this.#packed)!
      this.#packedCount++
    }
  }

  /** Adds a copy of `value` behind the last element. */
  pushTail(value: string): void {
    const blocks = this.#blocks ?? this.#blocksFor(value)
    if (blocks !== undefined) blocks.pushTail(flat(value))
    else {
      this.#packed = Packed.joinOne(this.#packed, value, "")!
      this.#packedCount++
    }
  }

  /** Removes the first element; the list must not be empty. The string is for answering: keep a flat copy. */
  popHead(): string {
    if (this.#blocks !== undefined) return this.#blocks.popHead()
    const value = Packed.first(this.#packed)
    this.#packed = flat(this.#packed.substring(value.length + Packed.overhead))
    this.#packedCount--
    return value
  }

  /** Removes the last element; the list must not be empty. The string is for answering: keep a flat copy. */
  popTail(): string {
    if (this.#blocks !== undefined) return this.#blocks.popTail()
    const value = Packed.last(this.#packed)
    this.#packed = flat(this.#packed.substring(0, this.#packed.length - value.length - Packed.overhead))
    this.#packedCount--
    return value
  }

  /** The element at `index`, 0 <= index < size. */
  at(index: number): string {
    if (this.#blocks !== undefined) return this.#blocks.at(index)
    return Packed.elementAt(this.#packed, Packed.offsetOf(this.#packed, index, this.#packedCount))
  }

  /** Replaces the element at `index`, 0 <= index < size. */
  set(index: number, value: string): void {
    if (this.#blocks !== undefined) this.#blocks.set(index, value)
    else this.#rewrite((items) => (items[index] = value))
  }

  /** Puts `value` before the element at `index`, 0 <= index <= size. */
  insert(index: number, value: string): void {
    if (this.#blocks !== undefined) this.#blocks.insert(index, value)
    else this.#rewrite((items) => items.splice(index, 0, value))
  }

  /** The `count` elements from `start` on; all of them must exist. They are for answering: keep flat copies. */
  slice(start: number, count: number): Array<string> {
    const items: Array<string> = []
    if (count <= 0) return items
    if (this.#blocks !== undefined) this.#blocks.collect(start, count, items)
    else Packed.collect(this.#packed, Packed.offsetOf(this.#packed, start, this.#packedCount), count, items)
    return items
  }

  /** As `slice`, without making strings: `visitor` gets each element as a part of another string. */
  visit(start: number, count: number, visitor: Packed.Visitor): void {
    if (this.#blocks !== undefined) this.#blocks.visit(start, count, visitor)
    else Packed.visit(this.#packed, Packed.offsetOf(this.#packed, start, this.#packedCount), count, visitor)
  }

  /** Removes the first `count` elements; there must be so many. */
  removeFirst(count: number): void {
    if (this.#blocks !== undefined) return this.#blocks.removeFirst(count)
    this.#packed = flat(this.#packed.substring(Packed.offsetOf(this.#packed, count, this.#packedCount)))
    this.#packedCount -= count
  }

  /** Removes the last `count` elements; there must be so many. */
  removeLast(count: number): void {
    if (this.#blocks !== undefined) return this.#blocks.removeLast(count)
    const kept = this.#packedCount - count
    this.#packed = flat(this.#packed.substring(0, Packed.offsetOf(this.#packed, kept, this.#packedCount)))
    this.#packedCount = kept
  }

  /**
   * Indexes at which `value` stands, in the order met from the head, or from the tail when `fromTail`: after the first
   * `skipped` of them up to `limit`, looking at no more than `lookedMax` elements.
   */
  indexesOf(
    value: string,
    {
      fromTail = false,
      skipped = 0,
      limit = Infinity,
      lookedMax = Infinity,
    }: {
      readonly fromTail?: boolean
      readonly skipped?: number
      readonly limit?: number
      readonly lookedMax?: number
    },
  ): Array<number> {
    const blocks = this.#blocks ?? BlockList.of(this.#packed, this.#packedCount)
    return blocks.indexesOf(value, fromTail, skipped, limit, lookedMax)
  }

  /** Removes up to `limit` elements equal to `value`, from the head, or from the tail when `fromTail`; answers how many. */
  removeMatching(value: string, fromTail: boolean, limit: number): number {
    if (this.#blocks !== undefined) return this.#blocks.removeMatching(value, fromTail, limit)
    if (this.#packed.indexOf(value) === -1) return 0
    const before = this.#packedCount
    this.#assign(without(Packed.unpack(this.#packed), value, fromTail, limit))
    return before - this.#packedCount
  }

  /** The elements in order. The list must not change meanwhile. */
  [Symbol.iterator](): IterableIterator<string> {
    return this.#blocks === undefined ? Packed.unpack(this.#packed)[Symbol.iterator]() : this.#blocks[Symbol.iterator]()
  }

  copy(): List {
    const copy = new List()
    copy.#packed = this.#packed
    copy.#packedCount = this.#packedCount
    copy.#blocks = this.#blocks?.copy()
    return copy
  }

  memoryUsage(samples: number): number {
    if (this.#blocks !== undefined) return objectBytes + blockListBytes + this.#blocks.memoryUsage(samples)
    return objectBytes + ((this.#packed.length + 7) & ~7)
  }

  /** The blocks to push `value` to; absent where it still fits the packed string. */
  #blocksFor(value: string): BlockList | undefined {
    const { length } = value
    if (
      this.#packedCount < blockMax &&
      length <= Packed.elementLengthMax &&
      this.#packed.length + length + Packed.overhead <= packedLengthMax
    ) {
      return undefined
    }
    this.#blocks = BlockList.of(this.#packed, this.#packedCount)
    this.#packed = ""
    this.#packedCount = 0
    return this.#blocks
  }

  #rewrite(change: (items: Array<string>) => void): void {
    const items = Packed.unpack(this.#packed)
    change(items)
    this.#assign(items)
  }

  #assign(items: ReadonlyArray<string>): void {
    const packed = items.length <= blockMax ? Packed.join("", items, 0, items.length, "") : undefined
    if (packed !== undefined && packed.length <= packedLengthMax) {
      this.#packed = packed
      this.#packedCount = items.length
    } else {
      this.#packed = ""
      this.#packedCount = 0
      const blocks = (this.#blocks = new BlockList())
      for (const item of items) blocks.pushTail(flat(item))
    }
  }
}

/** Heap bytes of the list itself with an empty string, and of an empty `BlockList`. */
const objectBytes = 64
const blockListBytes = 160
