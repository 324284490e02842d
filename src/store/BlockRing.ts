/**
 * The blocks inside a long list, in order, with how many elements each holds: a ring, so that blocks come and go at both
 * ends in O(1). A block is a packed string where the elements are short, otherwise an array of them.
 *
 * The idea to hold: a block never changes, it is replaced; so copies of a list share blocks. Blocks are numbered from 0 at
 * the head. An element is found by its index in one addition a block, from the nearer end.
 */
import * as Packed from "./PackedStrings.ts"

export type Block = string | ReadonlyArray<string>

/** Elements in one block at most. */
export const blockMax = 128

const firstCapacity = 4
/** Rings up to this capacity are not worth shrinking. */
const smallCapacity = 64

export class BlockRing {
  /** The length of both is a power of two; slots not in use are undefined. */
  #blocks: Array<Block | undefined> = new Array(firstCapacity)
  #counts: Array<number> = new Array(firstCapacity).fill(0)
  #start = 0
  #length = 0
  #size = 0
  /** Where the block that `find` answered last begins: the elements before it. */
  foundStart = 0

  /** Number of blocks. */
  get length(): number {
    return this.#length
  }

  /** Number of elements in all blocks. */
  get size(): number {
    return this.#size
  }

  block(n: number): Block {
    return this.#blocks[this.#slot(n)]!
  }

  count(n: number): number {
    return this.#counts[this.#slot(n)]
  }

  /** Number of the block that holds the element at `index`, 0 <= index < size. */
  find(index: number): number {
    const counts = this.#counts
    const mask = counts.length - 1
    const start = this.#start
    if (index < this.#size / 2) {
      let before = 0
      for (let n = 0; ; n++) {
        const after = before + counts[(start + n) & mask]
        if (index < after) {
          this.foundStart = before
          return n
        }
        before = after
      }
    }
    let before = this.#size
    for (let n = this.#length - 1; ; n--) {
      before -= counts[(start + n) & mask]
      if (index >= before) {
        this.foundStart = before
        return n
      }
    }
  }

  replace(n: number, block: Block, count: number): void {
    const slot = this.#slot(n)
    this.#size += count - this.#counts[slot]
    this.#blocks[slot] = block
    this.#counts[slot] = count
  }

  addFirst(block: Block, count: number): void {
    this.#reserve()
    this.#start = (this.#start - 1) & (this.#blocks.length - 1)
    this.#length++
    this.#put(0, block, count)
    this.#size += count
  }

  addLast(block: Block, count: number): void {
    this.#reserve()
    this.#put(this.#length++, block, count)
    this.#size += count
  }

  /** Puts a block behind block `n`; those after it move on. */
  addAfter(n: number, block: Block, count: number): void {
    this.#reserve()
    for (let to = this.#length++; to > n + 1; to--) this.#put(to, this.block(to - 1), this.count(to - 1))
    this.#put(n + 1, block, count)
    this.#size += count
  }

  dropFirst(): void {
    this.#size -= this.#counts[this.#start]
    this.#blocks[this.#start] = undefined
    this.#start = (this.#start + 1) & (this.#blocks.length - 1)
    this.#length--
    this.#shrink()
  }

  dropLast(): void {
    const slot = this.#slot(--this.#length)
    this.#size -= this.#counts[slot]
    this.#blocks[slot] = undefined
    this.#shrink()
  }

  /** Takes `taken` elements off block 0, which must hold as many. */
  cutFirst(taken: number): void {
    const block = this.block(0)
    const count = this.count(0)
    if (taken === count) this.dropFirst()
    else if (typeof block !== "string") this.replace(0, block.slice(taken), count - taken)
    else this.replace(0, block.substring(Packed.offsetOf(block, taken, count)), count - taken)
  }

  /** Takes `taken` elements off the last block, which must hold as many. */
  cutLast(taken: number): void {
    const last = this.#length - 1
    const block = this.block(last)
    const kept = this.count(last) - taken
    if (kept === 0) this.dropLast()
    else if (typeof block !== "string") this.replace(last, block.slice(0, kept), kept)
    else this.replace(last, block.substring(0, Packed.offsetOf(block, kept, kept + taken)), kept)
  }

  /** Drops empty blocks and joins small neighbours, so that removals do not leave a long row of tiny blocks. */
  compact(): void {
    let kept = -1
    for (let n = 0; n < this.#length; n++) {
      const block = this.block(n)
      const count = this.count(n)
      if (count === 0) continue
      const joined = kept < 0 || this.count(kept) + count > blockMax ? undefined : joinBlocks(this.block(kept), block)
      if (joined !== undefined) this.#put(kept, joined, this.count(kept) + count)
      else this.#put(++kept, block, count)
    }
    for (let n = kept + 1; n < this.#length; n++) this.#blocks[this.#slot(n)] = undefined
    this.#length = kept + 1
    this.#shrink()
  }

  copy(): BlockRing {
    const copy = new BlockRing()
    copy.#blocks = [...this.#blocks]
    copy.#counts = [...this.#counts]
    copy.#start = this.#start
    copy.#length = this.#length
    copy.#size = this.#size
    return copy
  }

  /** Bytes of the ring without its blocks. */
  get ownBytes(): number {
    return this.#blocks.length * 16
  }

  #slot(n: number): number {
    return (this.#start + n) & (this.#blocks.length - 1)
  }

  #put(n: number, block: Block, count: number): void {
    const slot = this.#slot(n)
    this.#blocks[slot] = block
    this.#counts[slot] = count
  }

  /** Room for one more block. */
  #reserve(): void {
    if (this.#length === this.#blocks.length) this.#resize(this.#length * 2)
  }

  #shrink(): void {
    let capacity = this.#blocks.length
    while (capacity > smallCapacity && this.#length < capacity / 8) capacity /= 2
    if (capacity < this.#blocks.length) this.#resize(capacity)
  }

  #resize(capacity: number): void {
    const blocks = new Array<Block | undefined>(capacity)
    const counts = new Array<number>(capacity).fill(0)
    for (let n = 0; n < this.#length; n++) {
      blocks[n] = this.block(n)
      counts[n] = this.count(n)
    }
    this.#blocks = blocks
    this.#counts = counts
    this.#start = 0
  }
}

const joinBlocks = (left: Block, right: Block): Block | undefined => {
  if (typeof left === "string" && typeof right === "string") return Packed.join(left, [], 0, 0, right)
  return typeof left === "string" || typeof right === "string" ? undefined : [...left, ...right]
}
