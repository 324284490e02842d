/**
 * Order with ranks: a B+-tree over the records of a `ScoreRecords`, sorted by score and then member, in which every inner
 * node knows how many records lie below each child. Finding a rank, a record at a rank, a bound, inserting and removing
 * are all O(log n); walking from a rank costs O(1) a step along the linked leaves.
 *
 * The idea to hold: an inner node keeps, for each child, a score and a member that are not above anything in the child and
 * above everything before it. They were the child's first when it split off, and need not exist any more, so neither a
 * removal nor a moved record repairs anything above the leaf. Scores lie in the nodes themselves, because following an
 * address to its score costs a cache miss a comparison: measured 5 us a rank among a million instead of 2.
 */
import { LeafRoom, type Slab } from "./LeafRoom.ts"
import type { ScoreRecords } from "./records/ScoreRecords.ts"

const leafMax = 128
const leafFirst = 8
const innerMax = 64
/** Slabs of leaves given back in a step: at most 10 us each. */
const slabsReleased = 32

/**
 * Scores and addresses by turns, from `start` on: both ends can give way, so that taking the first costs no more than the last. A leaf that
 * is not full grown has an array of its own, any other a piece of one in the tree's room.
 */
class Leaf {
  /** Whose piece it has; absent when `entries` is an array of its own. */
  slab: Slab | undefined
  entries: Float64Array
  /** Where in `entries` its part begins, where its entries do, how many fit, and how many there are: all in entries. */
  private base: number
  start: number
  private capacity: number
  size = 0
  previous: Leaf | undefined = undefined
  next: Leaf | undefined = undefined
  private constructor(slab: Slab | undefined, entries: Float64Array, base: number, capacity: number) {
    this.slab = slab
    this.entries = entries
    this.base = this.start = base
    this.capacity = capacity
  }

  /** One with an array of its own, for so many entries. */
  static own(capacity: number): Leaf {
    return new Leaf(undefined, new Float64Array(capacity * 2), 0, capacity)
  }

  /** A full grown one. */
  static in(room: LeafRoom): Leaf {
    const slab = room.slab()
    if (slab === undefined) return Leaf.own(leafMax)
    const leaf = new Leaf(slab, slab.entries, 0, leafMax)
    leaf.base = leaf.start = room.cut(slab, leaf) >>> 1
    return leaf
  }

  /** Gives its memory back: nothing must be asked of it any more. */
  giveTo(room: LeafRoom): void {
    room.give(this.slab, this.base << 1)
  }

  /** Moves to another slab, as its own is being left. */
  moveIn(room: LeafRoom): void {
    const { slab, base, entries, start, size } = this
    this.slab = room.slab()
    this.entries = this.slab?.entries ?? new Float64Array(leafMax * 2)
    this.base = this.start = this.slab === undefined ? 0 : room.cut(this.slab, this) >>> 1
    this.entries.set(entries.subarray(start << 1, (start + size) << 1), this.base << 1)
    room.give(slab, base << 1)
  }

  score(index: number): number {
    return this.entries[(this.start + index) << 1]
  }
  address(index: number): number {
    return this.entries[((this.start + index) << 1) + 1]
  }
  setAddress(index: number, address: number): void {
    this.entries[((this.start + index) << 1) + 1] = address
  }

  /** There must be fewer than `leafMax` entries. */
  insert(index: number, score: number, address: number): void {
    const { size } = this
    if (size === this.capacity) this.grow()
    const { entries, start } = this
    const { base } = this
    if (start > base && (index * 2 < size || start + size === base + this.capacity)) {
      entries.copyWithin((start - 1) << 1, start << 1, (start + index) << 1)
      this.start--
    } else entries.copyWithin((start + index + 1) << 1, (start + index) << 1, (start + size) << 1)
    this.size++
    const at = (this.start + index) << 1
    entries[at] = score
    entries[at + 1] = address
  }

  remove(index: number): void {
    const { entries, start, size } = this
    if (index * 2 < size) {
      if (index > 0) entries.copyWithin((start + 1) << 1, start << 1, (start + index) << 1)
      this.start++
    } else entries.copyWithin((start + index) << 1, (start + index + 1) << 1, (start + size) << 1)
    if (--this.size === 0) this.start = this.base
  }

  /** A new leaf with the entries from `index` on, which leave this one. */
  splitAt(index: number, room: LeafRoom): Leaf {
    const right = Leaf.in(room)
    right.take(this, index)
    this.size = index
    right.next = this.next
    right.previous = this
    if (this.next !== undefined) this.next.previous = right
    this.next = right
    return right
  }

  /** Adds the entries of a leaf with higher ones from `index` on; there must not be too many. */
  take(other: Leaf, index: number): void {
    const { size } = this
    const taken = other.size - index
    if (this.capacity < size + taken) this.grow()
    else if (this.start > this.base) {
      this.entries.copyWithin(this.base << 1, this.start << 1, (this.start + size) << 1)
      this.start = this.base
    }
    const from = (other.start + index) << 1
    this.entries.set(other.entries.subarray(from, from + (taken << 1)), (this.base + size) << 1)
    this.size += taken
  }

  /** Moves the entries of a leaf that is not full grown to the beginning of an array that has room for more. */
  private grow(): void {
    const { start, size } = this
    this.capacity = this.capacity >= leafMax / 4 ? leafMax : this.capacity * 2
    const entries = new Float64Array(this.capacity * 2)
    entries.set(this.entries.subarray(start << 1, (start + size) << 1))
    this.entries = entries
    this.base = this.start = 0
  }
}

class Inner {
  readonly children: Array<Node> = []
  /** The lower bounds of the children; the first is never looked at. */
  readonly members: Array<string> = []
  readonly scores = new Float64Array(innerMax + 1)
  /** How many records are below each child. */
  readonly sizes = new Int32Array(innerMax + 1)
  size = 0

  insert(index: number, child: Node, score: number, member: string): void {
    const length = this.children.length
    insertAt(this.children, index, child)
    insertAt(this.members, index, member)
    this.scores.copyWithin(index + 1, index, length)
    this.scores[index] = score
    this.sizes.copyWithin(index + 1, index, length)
    this.sizes[index] = child.size
  }

  remove(index: number): void {
    const length = this.children.length
    removeAt(this.children, index)
    removeAt(this.members, index)
    this.scores.copyWithin(index, index + 1, length)
    this.sizes.copyWithin(index, index + 1, length)
  }

  /** A new node with the children from `index` on, which leave this one. */
  splitAt(index: number): Inner {
    const right = new Inner()
    right.take(this, index)
    this.children.length = this.members.length = index
    this.size -= right.size
    return right
  }

  /** Adds the children of a node with higher ones from `index` on. */
  take(other: Inner, index: number): void {
    for (let i = index; i < other.children.length; i++) {
      this.insert(this.children.length, other.children[i], other.scores[i], other.members[i])
      this.size += other.children[i].size
    }
  }
}

type Node = Leaf | Inner

/** What a split leaves to the parent: the right half and its lower bound. */
interface Split {
  readonly node: Node
  readonly score: number
  readonly member: string
}

/** Puts `value` into a short array at `index`. `splice` is three times slower here: it allocates what it removed. */
const insertAt = <T>(values: Array<T>, index: number, value: T): void => {
  values.push(value)
  for (let i = values.length - 1; i > index; i--) values[i] = values[i - 1]
  values[index] = value
}

const removeAt = <T>(values: Array<T>, index: number): void => {
  for (let i = index + 1; i < values.length; i++) values[i - 1] = values[i]
  values.pop()
}

export class RankTree {
  private readonly records: ScoreRecords
  private readonly room = new LeafRoom(leafMax * 2)
  private root: Node = Leaf.own(leafFirst)
  constructor(records: ScoreRecords) {
    this.records = records
  }

  get size(): number {
    return this.root.size
  }

  /** Bytes of the arrays that leaves are pieces of. */
  get slabBytes(): number {
    return this.room.bytes
  }

  /** Gives a little of the leaves' memory back, after which nothing may be asked of the tree; false when there is no more. */
  release(): boolean {
    this.root = Leaf.own(leafFirst)
    return this.room.release(slabsReleased)
  }

  /** Adds a record that is not there. */
  insert(address: number): void {
    const score = this.records.score(address)
    const left = this.root
    const right = this.insertBelow(left, address, score, true)
    if (right === undefined) return
    const root = new Inner()
    root.insert(0, left, score, "")
    root.insert(1, right.node, right.score, right.member)
    root.size = left.size + right.node.size
    this.root = root
  }

  /** Removes a record; its score and member must still be those it was inserted with. */
  remove(address: number): void {
    this.removeBelow(this.root, address, this.records.score(address))
    this.settleRoot()
  }

  /** Removes the first or the last record, and answers its address. There must be one. */
  takeEnd(last: boolean): number {
    const address = this.takeBelow(this.root, last)
    this.settleRoot()
    return address
  }

  /** Writes `to` where `from` stands: the record is being moved. */
  rename(from: number, to: number): void {
    const score = this.records.score(from)
    let node = this.root
    while (node instanceof Inner) node = node.children[this.childOf(node, from, score)]
    node.setAddress(this.indexOf(node, from, score), to)
  }

  /** How many records come before that at `address`. */
  rank(address: number): number {
    const score = this.records.score(address)
    let node = this.root
    let rank = 0
    while (node instanceof Inner) {
      const child = this.childOf(node, address, score)
      for (let i = 0; i < child; i++) rank += node.sizes[i]
      node = node.children[child]
    }
    return rank + this.indexOf(node, address, score)
  }

  /** The address at `rank`, 0 <= rank < size. */
  at(rank: number): number {
    const { leaf, index } = this.seek(rank)
    return leaf.address(index)
  }

  /** How many records have a score below `score`, or up to it when `inclusive`. */
  countBelow(score: number, inclusive: boolean): number {
    return this.count((other) => (inclusive ? other <= score : other < score))
  }

  /** How many records come before a score with a member, which need not be there. */
  countBefore(score: number, member: string): number {
    const { records } = this
    return this.count(
      (other, bound, address) => other < score || (other === score && (bound ?? records.member(address)) < member),
    )
  }

  /** How many members satisfy `precedes`, which must hold for a leading part of the order and for nothing after it. */
  countWhile(precedes: (member: string) => boolean): number {
    const { records } = this
    return this.count((_, member, address) => precedes(member ?? records.member(address)))
  }

  /** Visits `count` records in order from `rank`, downward when `reverse`; they must exist. The tree must not change. */
  visit(rank: number, count: number, reverse: boolean, visitor: (address: number, score: number) => void): void {
    if (count <= 0) return
    let { leaf, index } = this.seek(rank)
    let left = count
    if (reverse) {
      for (;;) {
        for (; index >= 0 && left > 0; index--, left--) visitor(leaf.address(index), leaf.score(index))
        if (left === 0) return
        leaf = leaf.previous!
        index = leaf.size - 1
      }
    }
    for (;;) {
      for (; index < leaf.size && left > 0; index++, left--) visitor(leaf.address(index), leaf.score(index))
      if (left === 0) return
      leaf = leaf.next!
      index = 0
    }
  }

  private seek(rank: number): { leaf: Leaf; index: number } {
    let node = this.root
    let index = rank
    while (node instanceof Inner) {
      let child = 0
      while (index >= node.sizes[child]) index -= node.sizes[child++]
      node = node.children[child]
    }
    return { leaf: node, index }
  }

  /** `precedes` gets the member of a lower bound, and `undefined` with the address of a record. */
  private count(precedes: (score: number, member: string | undefined, address: number) => boolean): number {
    let node = this.root
    let count = 0
    while (node instanceof Inner) {
      // The last child whose lower bound precedes; what is before it precedes altogether.
      let low = 0
      let high = node.children.length
      while (high - low > 1) {
        const middle = (low + high) >>> 1
        if (precedes(node.scores[middle], node.members[middle], 0)) low = middle
        else high = middle
      }
      for (let i = 0; i < low; i++) count += node.sizes[i]
      node = node.children[low]
    }
    let low = 0
    let high = node.size
    while (low < high) {
      const middle = (low + high) >>> 1
      if (precedes(node.score(middle), undefined, node.address(middle))) low = middle + 1
      else high = middle
    }
    return count + low
  }

  /** The child of `node` in whose range a record falls. */
  private childOf({ scores, members }: Inner, address: number, score: number): number {
    let low = 0
    let high = members.length
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      const other = scores[middle]
      if (other < score || (other === score && this.records.compareText(address, members[middle]) >= 0)) low = middle
      else high = middle
    }
    return low
  }

  /** Where in the leaf a record is, or belongs. */
  private indexOf(leaf: Leaf, address: number, score: number): number {
    const { entries, start } = leaf
    let low = start
    let high = start + leaf.size
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = entries[middle << 1]
      if (other < score || (other === score && this.records.compare(entries[(middle << 1) + 1], address) < 0)) {
        low = middle + 1
      } else high = middle
    }
    return low - start
  }

  /** Inserts below `node`; answers the right half when the node had to split. `last`: nothing is to the right of it. */
  private insertBelow(node: Node, address: number, score: number, last: boolean): Split | undefined {
    if (node instanceof Leaf) return this.insertInto(node, address, score, last)
    const index = this.childOf(node, address, score)
    const child = node.children[index]
    const right = this.insertBelow(child, address, score, last && index === node.children.length - 1)
    node.size++
    node.sizes[index] = child.size
    if (right === undefined) return undefined
    node.insert(index + 1, right.node, right.score, right.member)
    if (node.children.length <= innerMax) return undefined
    const half = last && index === innerMax - 1 ? innerMax : (innerMax + 1) >>> 1
    const sibling = node.splitAt(half)
    return { node: sibling, score: sibling.scores[0], member: sibling.members[0] }
  }

  private insertInto(leaf: Leaf, address: number, score: number, last: boolean): Split | undefined {
    const index = this.indexOf(leaf, address, score)
    if (leaf.size < leafMax) {
      leaf.insert(index, score, address)
      return undefined
    }
    // Rising scores fill the tree from the right: leaves that no later record will reach stay full.
    const half = last && index === leafMax ? leafMax : leafMax >>> 1
    const right = leaf.splitAt(half, this.room)
    if (index < half) leaf.insert(index, score, address)
    else right.insert(index - half, score, address)
    return { node: right, score: right.score(0), member: this.records.member(right.address(0)) }
  }

  private removeBelow(node: Node, address: number, score: number): void {
    if (node instanceof Leaf) return this.removeFrom(node, this.indexOf(node, address, score))
    const index = this.childOf(node, address, score)
    const child = node.children[index]
    this.removeBelow(child, address, score)
    node.size--
    node.sizes[index] = child.size
    rebalance(node, index, this.room)
  }

  private takeBelow(node: Node, last: boolean): number {
    if (node instanceof Leaf) {
      const index = last ? node.size - 1 : 0
      const address = node.address(index)
      this.removeFrom(node, index)
      return address
    }
    const index = last ? node.children.length - 1 : 0
    const child = node.children[index]
    const address = this.takeBelow(child, last)
    node.size--
    node.sizes[index] = child.size
    rebalance(node, index, this.room)
    return address
  }

  private removeFrom(leaf: Leaf, index: number): void {
    if (leaf.slab?.isLeft === true) leaf.moveIn(this.room)
    leaf.remove(index)
  }

  private settleRoot(): void {
    if (this.root.size === 0) {
      if (this.root instanceof Leaf) this.root.giveTo(this.room)
      this.root = Leaf.own(leafFirst)
    }
    while (this.root instanceof Inner && this.root.children.length === 1) this.root = this.root.children[0]
  }
}

/** Takes out an empty child, and joins one that has become small with a neighbour that has room. */
const rebalance = (parent: Inner, index: number, room: LeafRoom): void => {
  const child = parent.children[index]
  if (child.size === 0) {
    if (child instanceof Leaf) {
      if (child.previous !== undefined) child.previous.next = child.next
      if (child.next !== undefined) child.next.previous = child.previous
      child.giveTo(room)
    }
    return parent.remove(index)
  }
  const width = child instanceof Leaf ? child.size : child.children.length
  if (width * 4 > (child instanceof Leaf ? leafMax : innerMax)) return
  if (index > 0 && join(parent, index - 1, room)) return
  if (index + 1 < parent.children.length) join(parent, index, room)
}

/** Moves the child after `index` into the one at `index` if there is room to spare; answers whether. */
const join = (parent: Inner, index: number, room: LeafRoom): boolean => {
  const left = parent.children[index]
  const right = parent.children[index + 1]
  if (left instanceof Leaf && right instanceof Leaf) {
    if ((left.size + right.size) * 4 > leafMax * 3) return false
    left.take(right, 0)
    left.next = right.next
    if (right.next !== undefined) right.next.previous = left
    right.giveTo(room)
  } else if (left instanceof Inner && right instanceof Inner) {
    if ((left.children.length + right.children.length) * 4 > innerMax * 3) return false
    // The first lower bound of the right one was never looked at; the parent's is the one that holds.
    right.scores[0] = parent.scores[index + 1]
    right.members[0] = parent.members[index + 1]
    left.take(right, 0)
  }
  parent.remove(index + 1)
  parent.sizes[index] = left.size
  return true
}
