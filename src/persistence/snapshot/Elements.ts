/**
 * The elements of one large collection, given out a piece at a time, so that a collection of a million elements is no pause of half a
 * second to everybody else.
 *
 * The idea to hold: between two pieces the collection may be about to change. Then, before it does, `freeze` keeps what has not been
 * given out as it is now, in strings: 150 ms of CPU for a million members of a set, 350 for as many fields with their values, nothing for
 * a list. So what is given out is the collection as it was when it began, whatever happens.
 */
import { Hash } from "../../store/Hash.ts"
import { List } from "../../store/List.ts"
import { SetValue } from "../../store/SetValue.ts"
import { SortedSet } from "../../store/SortedSet.ts"
import type { Stream } from "../../store/Stream.ts"
import type { StreamNode } from "../../store/StreamNode.ts"
import type { Value } from "../../store/Value.ts"

export interface Elements {
  /** Gives out one more piece. False when that was the last one. */
  readonly next: () => boolean
  /** What is left stays as it is now. To be called before the collection changes. */
  readonly freeze: () => void
}

/** What takes the elements; what is not there is given out by nobody. */
export interface Visitor {
  readonly member: (member: string) => void
  /** `deadline` in Unix ms, absent for none. */
  readonly field: (field: string, value: string, deadline: number | undefined) => void
  /** In descending order, as in snapshots of redis-server: to read them back is to append. */
  readonly scored: (member: string, score: number) => void
  readonly item: (item: string) => void
  readonly node: (node: StreamNode) => void
  /** After the last element. `value` is as it was in the beginning, but for the elements. */
  readonly end: (value: Value) => void
}

/** Smaller collections are written as a whole. */
const sizeMin = 1000
/** Elements, or nodes of a stream, given out at once: 0.1 ms and less. */
const pieceElements = 256
const pieceNodes = 16

/** Whether a collection is to be given out in pieces: what is one piece of bytes is not, however long the settings let it be. */
export const isLarge = (value: Value): boolean =>
  typeof value === "object" &&
  value.size >= sizeMin &&
  value.type !== "string" &&
  value.encoding !== "listpack" &&
  value.encoding !== "intset"

/** Gives out the elements from index `from` up to `to`. */
type Give = (from: number, to: number) => void

const inPieces = (
  size: number,
  piece: number,
  give: Give,
  freeze: (from: number) => Give,
  end: () => void,
): Elements => {
  let from = 0
  let current = give
  let isFrozen = false
  return {
    next: () => {
      const to = Math.min(size, from + piece)
      current(from, to)
      from = to
      if (from < size) return true
      end()
      return false
    },
    freeze: () => {
      if (isFrozen) return
      isFrozen = true
      current = freeze(from)
    },
  }
}

/** The elements of a large collection. */
export const of = (value: Value, visitor: Visitor): Elements => {
  if (value instanceof SetValue) return members(value, visitor)
  if (value instanceof Hash) return fields(value, visitor)
  if (value instanceof SortedSet) return scores(value, visitor)
  if (value instanceof List) return items(value, visitor)
  return nodes(value as Stream, visitor)
}

const members = (set: SetValue, visitor: Visitor): Elements => {
  const give =
    (at: (position: number) => string, start: number): Give =>
    (from, to) => {
      for (let i = from; i < to; i++) visitor.member(at(i - start))
    }
  const freeze = (from: number): Give => {
    const rest: Array<string> = []
    for (let i = from; i < size; i++) rest.push(set.at(i))
    return give((position) => rest[position], from)
  }
  const { size } = set
  return inPieces(
    size,
    pieceElements,
    give((position) => set.at(position), 0),
    freeze,
    () => visitor.end(set),
  )
}

const fields = (hash: Hash, visitor: Visitor): Elements => {
  const { size } = hash
  const give: Give = (from, to) => {
    for (let i = from; i < to; i++) {
      const field = hash.fieldAt(i)
      visitor.field(field, hash.valueAt(i), hash.deadline(field))
    }
  }
  const freeze = (start: number): Give => {
    const rest: Array<string> = []
    const deadlines: Array<number | undefined> | undefined = hash.nextDeadline === Infinity ? undefined : []
    for (let i = start; i < size; i++) {
      rest.push(hash.fieldAt(i), hash.valueAt(i))
      deadlines?.push(hash.deadline(hash.fieldAt(i)))
    }
    return (from, to) => {
      for (let i = from - start; i < to - start; i++) visitor.field(rest[2 * i], rest[2 * i + 1], deadlines?.[i])
    }
  }
  return inPieces(size, pieceElements, give, freeze, () => visitor.end(hash))
}

const scores = (set: SortedSet, visitor: Visitor): Elements => {
  const { size } = set
  const give: Give = (from, to) => set.visit(size - 1 - from, to - from, true, visitor.scored)
  const freeze = (start: number): Give => {
    const rest: Array<string> = []
    const values = new Float64Array(size - start)
    set.visit(size - 1 - start, size - start, true, (member, score) => {
      values[rest.length] = score
      rest.push(member)
    })
    return (from, to) => {
      for (let i = from - start; i < to - start; i++) visitor.scored(rest[i], values[i])
    }
  }
  return inPieces(size, pieceElements, give, freeze, () => visitor.end(set))
}

const items = (list: List, visitor: Visitor): Elements => {
  const { size } = list
  const give =
    (from: List): Give =>
    (start, end) =>
      from.slice(start, end - start).forEach(visitor.item)
  return inPieces(
    size,
    pieceElements,
    give(list),
    () => give(list.copy()),
    () => visitor.end(list),
  )
}

const nodes = (stream: Stream, visitor: Visitor): Elements => {
  let source = stream
  let all = [...stream.nodes]
  const give: Give = (from, to) => {
    for (let i = from; i < to; i++) visitor.node(all[i])
  }
  const freeze = (): Give => {
    source = stream.copy()
    all = [...source.nodes]
    return give
  }
  return inPieces(all.length, pieceNodes, give, freeze, () => visitor.end(source))
}
