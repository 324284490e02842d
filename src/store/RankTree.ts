/**
 * Order with ranks: a B+-tree over the positions of a `ScoreTable`, sorted by score and then member, in which every inner
 * node knows how many positions lie below each child. Finding a rank, a position at a rank, a bound, inserting and removing
 * are all O(log n); walking from a rank costs O(1) a step along the linked leaves.
 *
 * The idea to hold: an inner node keeps, for each child, a score and a member that are not above anything in the child and
 * above everything before it. They were the child's first when it split off, and need not exist any more, so neither a
 * removal nor a renamed position repairs anything above the leaf. Scores lie in the nodes themselves, because following a
 * position to its score in the table costs a cache miss a comparison: measured 5 us a rank among a million instead of 2.
 */
import type { ScoreTable } from "./ScoreTable.ts"

const leafMax = 128
const innerMax = 64

class Leaf {
  positions: Array<number>
  scores: Array<number>
  previous: Leaf | undefined = undefined
  next: Leaf | undefined = undefined
  constructor(positions: Array<number>, scores: Array<number>) {
    this.positions = positions
    this.scores = scores
  }
  get size(): number {
    return this.positions.length
  }
}

class Inner {
  children: Array<Node>
  /** How many positions are below each child. */
  sizes: Array<number>
  /** The lower bounds of the children; the first is never looked at. */
  scores: Array<number>
  members: Array<string>
  size: number
  constructor(children: Array<Node>, sizes: Array<number>, scores: Array<number>, members: Array<string>) {
    this.children = children
    this.sizes = sizes
    this.scores = scores
    this.members = members
    this.size = 0
    for (const size of sizes) this.size += size
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
  for (let i = values.length - 1; i > index; i--) values[i] = values[i - 1]!
  values[index] = value
}

const removeAt = <T>(values: Array<T>, index: number): void => {
  for (let i = index + 1; i < values.length; i++) values[i - 1] = values[i]!
  values.pop()
}

export class RankTree {
  readonly #table: ScoreTable
  #root: Node = new Leaf([], [])
  constructor(table: ScoreTable) {
    this.#table = table
  }

  get size(): number {
    return this.#root.size
  }

  /** Adds a position that is not there. */
  insert(position: number): void {
    const score = this.#table.score(position)
    const member = this.#table.member(position)
    const left = this.#root
    const right = this.#insertBelow(left, position, score, member, true)
    if (right === undefined) return
    this.#root = new Inner([left, right.node], [left.size, right.node.size], [score, right.score], ["", right.member])
  }

  /** Removes a position; its score and member must still be those it was inserted with. */
  remove(position: number): void {
    this.#removeBelow(this.#root, this.#table.score(position), this.#table.member(position))
    if (this.#root.size === 0) this.#root = new Leaf([], [])
    while (this.#root instanceof Inner && this.#root.children.length === 1) this.#root = this.#root.children[0]!
  }

  /** Writes `to` where `from` stands: the table is about to move that member. */
  rename(from: number, to: number): void {
    const score = this.#table.score(from)
    const member = this.#table.member(from)
    let node = this.#root
    while (node instanceof Inner) node = node.children[childOf(node, score, member)]!
    node.positions[this.#indexOf(node, score, member)] = to
  }

  /** How many positions come before `position`. */
  rank(position: number): number {
    const score = this.#table.score(position)
    const member = this.#table.member(position)
    let node = this.#root
    let rank = 0
    while (node instanceof Inner) {
      const child = childOf(node, score, member)
      for (let i = 0; i < child; i++) rank += node.sizes[i]!
      node = node.children[child]!
    }
    return rank + this.#indexOf(node, score, member)
  }

  /** The position at `rank`, 0 <= rank < size. */
  at(rank: number): number {
    const { leaf, index } = this.#seek(rank)
    return leaf.positions[index]!
  }

  /** How many positions have a score below `score`, or up to it when `inclusive`. */
  countBelow(score: number, inclusive: boolean): number {
    return this.#count((other) => (inclusive ? other <= score : other < score))
  }

  /** How many members satisfy `precedes`, which must hold for a leading part of the order and for nothing after it. */
  countWhile(precedes: (member: string) => boolean): number {
    const table = this.#table
    return this.#count((_, member, position) => precedes(member ?? table.member(position)))
  }

  /** Visits `count` positions in order from `rank`, downward when `reverse`; they must exist. The tree must not change. */
  visit(rank: number, count: number, reverse: boolean, visitor: (position: number, score: number) => void): void {
    if (count <= 0) return
    const found = this.#seek(rank)
    let leaf = found.leaf
    let index = found.index
    let left = count
    if (reverse) {
      for (;;) {
        const { positions, scores } = leaf
        for (; index >= 0 && left > 0; index--, left--) visitor(positions[index]!, scores[index]!)
        if (left === 0) return
        leaf = leaf.previous!
        index = leaf.positions.length - 1
      }
    }
    for (;;) {
      const { positions, scores } = leaf
      for (; index < positions.length && left > 0; index++, left--) visitor(positions[index]!, scores[index]!)
      if (left === 0) return
      leaf = leaf.next!
      index = 0
    }
  }

  #seek(rank: number): { readonly leaf: Leaf; readonly index: number } {
    let node = this.#root
    let index = rank
    while (node instanceof Inner) {
      let child = 0
      while (index >= node.sizes[child]!) index -= node.sizes[child++]!
      node = node.children[child]!
    }
    return { leaf: node, index }
  }

  /** `precedes` gets the member of a lower bound, and `undefined` with the position of an element. */
  #count(precedes: (score: number, member: string | undefined, position: number) => boolean): number {
    let node = this.#root
    let count = 0
    while (node instanceof Inner) {
      // The last child whose lower bound precedes; what is before it precedes altogether.
      let low = 0
      let high = node.children.length
      while (high - low > 1) {
        const middle = (low + high) >>> 1
        if (precedes(node.scores[middle]!, node.members[middle]!, -1)) low = middle
        else high = middle
      }
      for (let i = 0; i < low; i++) count += node.sizes[i]!
      node = node.children[low]!
    }
    let low = 0
    let high = node.positions.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (precedes(node.scores[middle]!, undefined, node.positions[middle]!)) low = middle + 1
      else high = middle
    }
    return count + low
  }

  /** Where in the leaf a score and member are, or belong. */
  #indexOf(leaf: Leaf, score: number, member: string): number {
    const { positions, scores } = leaf
    let low = 0
    let high = positions.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = scores[middle]!
      if (other < score || (other === score && this.#table.member(positions[middle]!) < member)) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Inserts below `node`; answers the right half when the node had to split. `last`: nothing is to the right of it. */
  #insertBelow(node: Node, position: number, score: number, member: string, last: boolean): Split | undefined {
    if (node instanceof Leaf) return this.#insertInto(node, position, score, member, last)
    const index = childOf(node, score, member)
    const child = node.children[index]!
    const right = this.#insertBelow(child, position, score, member, last && index === node.children.length - 1)
    node.size++
    node.sizes[index] = child.size
    if (right === undefined) return undefined
    insertAt(node.children, index + 1, right.node)
    insertAt(node.sizes, index + 1, right.node.size)
    insertAt(node.scores, index + 1, right.score)
    insertAt(node.members, index + 1, right.member)
    if (node.children.length <= innerMax) return undefined
    const half = last && index === innerMax - 1 ? innerMax : (innerMax + 1) >>> 1
    const { children, sizes, scores, members } = node
    const sibling = new Inner(children.slice(half), sizes.slice(half), scores.slice(half), members.slice(half))
    node.children = children.slice(0, half)
    node.sizes = sizes.slice(0, half)
    node.scores = scores.slice(0, half)
    node.members = members.slice(0, half)
    node.size -= sibling.size
    return { node: sibling, score: scores[half]!, member: members[half]! }
  }

  #insertInto(leaf: Leaf, position: number, score: number, member: string, last: boolean): Split | undefined {
    const index = this.#indexOf(leaf, score, member)
    insertAt(leaf.positions, index, position)
    insertAt(leaf.scores, index, score)
    if (leaf.positions.length <= leafMax) return undefined
    // Rising scores fill the tree from the right: leaves that no later element will reach stay full.
    const half = last && index === leafMax ? leafMax : (leafMax + 1) >>> 1
    const right = new Leaf(leaf.positions.slice(half), leaf.scores.slice(half))
    leaf.positions = leaf.positions.slice(0, half)
    leaf.scores = leaf.scores.slice(0, half)
    right.next = leaf.next
    right.previous = leaf
    if (leaf.next !== undefined) leaf.next.previous = right
    leaf.next = right
    return { node: right, score: right.scores[0]!, member: this.#table.member(right.positions[0]!) }
  }

  #removeBelow(node: Node, score: number, member: string): void {
    if (node instanceof Leaf) {
      const index = this.#indexOf(node, score, member)
      removeAt(node.positions, index)
      removeAt(node.scores, index)
      return
    }
    const index = childOf(node, score, member)
    const child = node.children[index]!
    this.#removeBelow(child, score, member)
    node.size--
    node.sizes[index] = child.size
    rebalance(node, index)
  }
}

/** The child of `node` in whose range a score and member fall. */
const childOf = ({ scores, members }: Inner, score: number, member: string): number => {
  let low = 0
  let high = scores.length
  while (high - low > 1) {
    const middle = (low + high) >>> 1
    const other = scores[middle]!
    if (other < score || (other === score && members[middle]! <= member)) low = middle
    else high = middle
  }
  return low
}

const removeChild = (parent: Inner, index: number): void => {
  removeAt(parent.children, index)
  removeAt(parent.sizes, index)
  removeAt(parent.scores, index)
  removeAt(parent.members, index)
}

/** Takes out an empty child, and joins one that has become small with a neighbour that has room. */
const rebalance = (parent: Inner, index: number): void => {
  const child = parent.children[index]!
  if (child.size === 0) {
    if (child instanceof Leaf) {
      if (child.previous !== undefined) child.previous.next = child.next
      if (child.next !== undefined) child.next.previous = child.previous
    }
    removeChild(parent, index)
    return
  }
  const width = child instanceof Leaf ? child.positions.length : child.children.length
  if (width * 4 > (child instanceof Leaf ? leafMax : innerMax)) return
  if (index > 0 && join(parent, index - 1)) return
  if (index + 1 < parent.children.length) join(parent, index)
}

/** Moves the child after `index` into the one at `index` if there is room to spare; answers whether. */
const join = (parent: Inner, index: number): boolean => {
  const left = parent.children[index]!
  const right = parent.children[index + 1]!
  if (left instanceof Leaf && right instanceof Leaf) {
    if ((left.size + right.size) * 4 > leafMax * 3) return false
    left.positions = left.positions.concat(right.positions)
    left.scores = left.scores.concat(right.scores)
    left.next = right.next
    if (right.next !== undefined) right.next.previous = left
  } else if (left instanceof Inner && right instanceof Inner) {
    if ((left.children.length + right.children.length) * 4 > innerMax * 3) return false
    // The first lower bound of the right one was never looked at; the parent's is the one that holds.
    right.scores[0] = parent.scores[index + 1]!
    right.members[0] = parent.members[index + 1]!
    left.children = left.children.concat(right.children)
    left.sizes = left.sizes.concat(right.sizes)
    left.scores = left.scores.concat(right.scores)
    left.members = left.members.concat(right.members)
    left.size += right.size
  }
  removeChild(parent, index + 1)
  parent.sizes[index] = left.size
  return true
}
