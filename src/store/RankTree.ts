/**
 * Order with ranks: a B+-tree over the positions of a `ScoreTable`, sorted by score and then member, in which every inner
 * node knows how many positions lie below each child. Finding a rank, a position at a rank, a bound, inserting and removing
 * are all O(log n); walking from a rank costs O(1) a step along the linked leaves.
 *
 * The idea to hold: the tree stores positions only and asks the table for what they mean, so a change of a score is: remove,
 * set the score, insert. Inner nodes keep no keys of their own; they compare with the first position of a child's leftmost
 * leaf, so a new least element or a renamed position needs no repair above the leaf.
 */
import type { ScoreTable } from "./ScoreTable.ts"

const leafMax = 128
const innerMax = 64

class Leaf {
  positions: Array<number>
  previous: Leaf | undefined = undefined
  next: Leaf | undefined = undefined
  constructor(positions: Array<number>) {
    this.positions = positions
  }
  get first(): Leaf {
    return this
  }
  get size(): number {
    return this.positions.length
  }
}

class Inner {
  children: Array<Node>
  /** How many positions are below each child. */
  sizes: Array<number>
  size: number
  constructor(children: Array<Node>) {
    this.children = children
    this.sizes = children.map((child) => child.size)
    this.size = this.sizes.reduce((sum, size) => sum + size, 0)
  }
  get first(): Leaf {
    return this.children[0]!.first
  }
}

type Node = Leaf | Inner

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
  #root: Node = new Leaf([])
  constructor(table: ScoreTable) {
    this.#table = table
  }

  get size(): number {
    return this.#root.size
  }

  /** Adds a position that is not there. */
  insert(position: number): void {
    const right = this.#insertBelow(this.#root, position, true)
    if (right !== undefined) this.#root = new Inner([this.#root, right])
  }

  /** Removes a position; its score and member must still be those it was inserted with. */
  remove(position: number): void {
    this.#removeBelow(this.#root, position)
    if (this.#root.size === 0) this.#root = new Leaf([])
    while (this.#root instanceof Inner && this.#root.children.length === 1) this.#root = this.#root.children[0]!
  }

  /** Writes `to` where `from` stands: the table is about to move that member. */
  rename(from: number, to: number): void {
    let node = this.#root
    while (node instanceof Inner) node = node.children[this.#childOf(node, from)]!
    node.positions[this.#indexOf(node, from)] = to
  }

  /** How many positions come before `position`. */
  rank(position: number): number {
    let node = this.#root
    let rank = 0
    while (node instanceof Inner) {
      const child = this.#childOf(node, position)
      for (let i = 0; i < child; i++) rank += node.sizes[i]!
      node = node.children[child]!
    }
    return rank + this.#indexOf(node, position)
  }

  /** The position at `rank`, 0 <= rank < size. */
  at(rank: number): number {
    const { leaf, index } = this.#seek(rank)
    return leaf.positions[index]!
  }

  /** How many positions satisfy `precedes`, which must hold for a leading part of the order and for nothing after it. */
  countWhile(precedes: (position: number) => boolean): number {
    let node = this.#root
    let count = 0
    while (node instanceof Inner) {
      // The last child whose first position precedes; what is before it precedes altogether.
      let low = 0
      let high = node.children.length
      while (high - low > 1) {
        const middle = (low + high) >>> 1
        if (precedes(node.children[middle]!.first.positions[0]!)) low = middle
        else high = middle
      }
      for (let i = 0; i < low; i++) count += node.sizes[i]!
      node = node.children[low]!
    }
    let low = 0
    let high = node.positions.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (precedes(node.positions[middle]!)) low = middle + 1
      else high = middle
    }
    return count + low
  }

  /** Visits `count` positions in order from `rank`, downward when `reverse`; they must exist. The tree must not change. */
  visit(rank: number, count: number, reverse: boolean, visitor: (position: number) => void): void {
    if (count <= 0) return
    const found = this.#seek(rank)
    let leaf = found.leaf
    let index = found.index
    let left = count
    if (reverse) {
      for (;;) {
        const { positions } = leaf
        for (; index >= 0 && left > 0; index--, left--) visitor(positions[index]!)
        if (left === 0) return
        leaf = leaf.previous!
        index = leaf.positions.length - 1
      }
    }
    for (;;) {
      const { positions } = leaf
      for (; index < positions.length && left > 0; index++, left--) visitor(positions[index]!)
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

  /** The child of `node` in whose range `position` falls. */
  #childOf(node: Inner, position: number): number {
    let low = 0
    let high = node.children.length
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      if (this.#table.compare(node.children[middle]!.first.positions[0]!, position) <= 0) low = middle
      else high = middle
    }
    return low
  }

  /** Where in the leaf `position` is, or belongs. */
  #indexOf(leaf: Leaf, position: number): number {
    const { positions } = leaf
    let low = 0
    let high = positions.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#table.compare(positions[middle]!, position) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Inserts below `node`; answers the new right half when the node had to split. `last`: nothing is to the right of it. */
  #insertBelow(node: Node, position: number, last: boolean): Node | undefined {
    if (node instanceof Leaf) {
      const index = this.#indexOf(node, position)
      insertAt(node.positions, index, position)
      if (node.positions.length <= leafMax) return undefined
      // Rising scores fill the tree from the right: leaves that no later element will reach stay full.
      const half = last && index === leafMax ? leafMax : (leafMax + 1) >>> 1
      const right = new Leaf(node.positions.slice(half))
      node.positions = node.positions.slice(0, half)
      right.next = node.next
      right.previous = node
      if (node.next !== undefined) node.next.previous = right
      node.next = right
      return right
    }
    const index = this.#childOf(node, position)
    const child = node.children[index]!
    const right = this.#insertBelow(child, position, last && index === node.children.length - 1)
    node.size++
    node.sizes[index] = child.size
    if (right === undefined) return undefined
    insertAt(node.children, index + 1, right)
    insertAt(node.sizes, index + 1, right.size)
    if (node.children.length <= innerMax) return undefined
    const half = last && index === innerMax - 1 ? innerMax : (innerMax + 1) >>> 1
    const sibling = new Inner(node.children.slice(half))
    node.children = node.children.slice(0, half)
    node.sizes = node.sizes.slice(0, half)
    node.size -= sibling.size
    return sibling
  }

  #removeBelow(node: Node, position: number): void {
    if (node instanceof Leaf) {
      removeAt(node.positions, this.#indexOf(node, position))
      return
    }
    const index = this.#childOf(node, position)
    const child = node.children[index]!
    this.#removeBelow(child, position)
    node.size--
    node.sizes[index] = child.size
    this.#rebalance(node, index)
  }

  /** Takes out an empty child, and joins one that has become small with a neighbour that has room. */
  #rebalance(parent: Inner, index: number): void {
    const child = parent.children[index]!
    if (child.size === 0) {
      if (child instanceof Leaf) {
        if (child.previous !== undefined) child.previous.next = child.next
        if (child.next !== undefined) child.next.previous = child.previous
      }
      removeAt(parent.children, index)
      removeAt(parent.sizes, index)
      return
    }
    const width = child instanceof Leaf ? child.positions.length : child.children.length
    if (width * 4 > (child instanceof Leaf ? leafMax : innerMax)) return
    if (index > 0 && this.#join(parent, index - 1)) return
    if (index + 1 < parent.children.length) this.#join(parent, index)
  }

  /** Moves the child after `index` into the one at `index` if there is room to spare; answers whether. */
  #join(parent: Inner, index: number): boolean {
    const left = parent.children[index]!
    const right = parent.children[index + 1]!
    if (left instanceof Leaf && right instanceof Leaf) {
      if ((left.size + right.size) * 4 > leafMax * 3) return false
      left.positions = left.positions.concat(right.positions)
      left.next = right.next
      if (right.next !== undefined) right.next.previous = left
    } else if (left instanceof Inner && right instanceof Inner) {
      if ((left.children.length + right.children.length) * 4 > innerMax * 3) return false
      left.children = left.children.concat(right.children)
      left.sizes = left.sizes.concat(right.sizes)
      left.size += right.size
    }
    removeAt(parent.children, index + 1)
    removeAt(parent.sizes, index + 1)
    parent.sizes[index] = left.size
    return true
  }
}
