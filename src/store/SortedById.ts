/**
 * Things ordered by their stream id: the nodes of a stream, the pending entries of a group and of a consumer.
 *
 * The idea to hold: sorted arrays of at most 128 things in one sorted array of them. Finding is two binary searches,
 * adding at the end (what streams do all day) is a push, adding or removing elsewhere moves at most 128 pointers, and of
 * the outer array 1/128th. No block is ever empty.
 *
 * There is no long-lived iterator: walking asks for the thing after the last one seen, so the walker may remove as it goes. Who needs all
 * of them as they are now takes them `frozen`: blocks are then copied when they change.
 */
import type { StreamId } from "./StreamId.ts"
import * as Id from "./StreamId.ts"

/** Things in order that stay what they are. */
export interface Sequence<A> extends Iterable<A> {
  readonly size: number
}

const blockSizeMax = 128
/** A block that shrank below this is joined to a neighbour when both fit in half a block. */
const blockSizeMin = 16

export class SortedById<A extends StreamId> {
  private blocks: Array<Array<A>> = []
  size = 0
  /** Blocks that something frozen may hold too. */
  private shared: Set<Array<A>> | undefined = undefined

  first(): A | undefined {
    return this.blocks[0]?.[0]
  }

  last(): A | undefined {
    const block = this.blocks[this.blocks.length - 1]
    return block?.[block.length - 1]
  }

  get(id: StreamId): A | undefined {
    const found = this.atMost(id)
    return found !== undefined && Id.equals(found, id) ? found : undefined
  }

  /** The last thing at or before `id`. */
  atMost(id: StreamId): A | undefined {
    const index = this.blockOf(id)
    if (index < 0) return undefined
    const block = this.blocks[index]!
    return block[indexAfter(block, id) - 1]
  }

  /** The first thing at or after `id`. */
  atLeast(id: StreamId): A | undefined {
    const found = this.atMost(id)
    return found !== undefined && Id.equals(found, id) ? found : this.after(id)
  }

  /** The first thing after `id`. */
  after(id: StreamId): A | undefined {
    const index = this.blockOf(id)
    if (index < 0) return this.first()
    const block = this.blocks[index]!
    const at = indexAfter(block, id)
    return at < block.length ? block[at] : this.blocks[index + 1]?.[0]
  }

  /** The last thing before `id`. */
  before(id: StreamId): A | undefined {
    const index = this.blockOf(id)
    if (index < 0) return undefined
    const block = this.blocks[index]!
    let at = indexAfter(block, id) - 1
    if (Id.equals(block[at]!, id)) at--
    if (at >= 0) return block[at]
    const previous = this.blocks[index - 1]
    return previous?.[previous.length - 1]
  }

  /** Adds `item`; one with the same id is replaced and returned. */
  put(item: A): A | undefined {
    const blocks = this.blocks
    const index = this.blockOf(item)
    if (index < 0) {
      // A literal array has no room for growth, which a push would make for 17.
      if (blocks.length === 0) this.blocks = [[item]]
      else this.insert(0, 0, item)
      this.size++
      return undefined
    }
    const block = this.own(index)
    const at = indexAfter(block, item)
    if (Id.equals(block[at - 1]!, item)) {
      const replaced = block[at - 1]!
      block[at - 1] = item
      return replaced
    }
    this.size++
    // A full last block is left full: streams grow at the end, and halves would stay half empty for ever.
    if (at === blockSizeMax && index === blocks.length - 1) blocks.push([item])
    else this.insert(index, at, item)
    return undefined
  }

  remove(id: StreamId): A | undefined {
    const index = this.blockOf(id)
    if (index < 0) return undefined
    const block = this.blocks[index]!
    const at = indexAfter(block, id) - 1
    const found = block[at]!
    if (!Id.equals(found, id)) return undefined
    this.size--
    const own = this.own(index)
    if (at === own.length - 1) own.pop()
    else if (at === 0) own.shift()
    else own.splice(at, 1)
    if (own.length < blockSizeMin) this.join(index)
    return found
  }

  /** Removes the first thing; there must be one. Without a search: ten thousand nodes of a stream may go at once. */
  removeFirst(): void {
    const block = this.own(0)
    block.shift()
    this.size--
    if (block.length === 0) this.blocks.shift()
  }

  clear(): void {
    this.blocks = []
    this.shared = undefined
    this.size = 0
  }

  /** The things as they are now, whatever is added and removed later, at the cost of a pointer for 128 of them. They must not change themselves. */
  frozen(): Sequence<A> {
    const { size } = this
    const blocks = this.blocks.slice()
    this.shared = new Set(blocks)
    return {
      size,
      *[Symbol.iterator]() {
        for (const block of blocks) yield* block
      },
    }
  }

  /** In order. Nothing may be added or removed meanwhile. */
  *[Symbol.iterator](): IterableIterator<A> {
    for (const block of this.blocks) yield* block
  }

  /** The block that `id` belongs to: the last one that begins at or before it; -1 when `id` is before everything. */
  private blockOf(id: StreamId): number {
    const blocks = this.blocks
    let low = 0
    let high = blocks.length
    if (high > 0 && Id.compare(blocks[high - 1]![0]!, id) <= 0) return high - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (Id.compare(blocks[middle]![0]!, id) <= 0) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  /** A block that may be changed. */
  private own(index: number): Array<A> {
    const block = this.blocks[index]!
    if (this.shared === undefined || !this.shared.delete(block)) return block
    return (this.blocks[index] = block.slice())
  }

  private insert(index: number, at: number, item: A): void {
    const block = this.own(index)
    block.splice(at, 0, item)
    if (block.length > blockSizeMax) this.blocks.splice(index + 1, 0, block.splice(blockSizeMax >> 1))
  }

  private join(index: number): void {
    const blocks = this.blocks
    const block = blocks[index]!
    if (block.length === 0) {
      if (index === 0) blocks.shift()
      else blocks.splice(index, 1)
      return
    }
    for (const left of [index - 1, index]) {
      const first = blocks[left]
      const second = blocks[left + 1]
      if (first === undefined || second === undefined || first.length + second.length > blockSizeMax >> 1) continue
      const joined = this.own(left)
      this.shared?.delete(second)
      for (const item of second) joined.push(item)
      blocks.splice(left + 1, 1)
      return
    }
  }
}

/** How many things of `block` are at or before `id`. */
const indexAfter = <A extends StreamId>(block: ReadonlyArray<A>, id: StreamId): number => {
  let low = 0
  let high = block.length
  if (high > 0 && Id.compare(block[high - 1]!, id) <= 0) return high
  while (low < high) {
    const middle = (low + high) >> 1
    if (Id.compare(block[middle]!, id) <= 0) low = middle + 1
    else high = middle
  }
  return low
}
