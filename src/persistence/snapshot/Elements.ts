/**
 * The elements of one large collection, given out a piece at a time, so that a collection of a million elements is no pause of half a
 * second to everybody else.
 *
 * The idea to hold: between two pieces the collection may change, and what is given out is the collection as it was when this began. An
 * element of a set, a hash or a sorted set that is about to change is given out before it does, unless it has been (`RecordWalk`), so
 * these elements come in any order. A list is copied when it is about to change, which costs nothing: its blocks are shared. Of a stream
 * the nodes that are about to change are copied.
 */
import { Hash } from "../../store/Hash.ts"
import { List } from "../../store/List.ts"
import type { ElementWalk } from "../../store/records/RecordWalk.ts"
import { SetValue } from "../../store/SetValue.ts"
import { SortedSet } from "../../store/SortedSet.ts"
import type { StreamState, Stream } from "../../store/Stream.ts"
import * as Id from "../../store/StreamId.ts"
import type { StreamNode } from "../../store/StreamNode.ts"
import type { Value } from "../../store/Value.ts"

export interface Elements {
  /** Gives out one more piece. False when that was the last one. */
  readonly next: () => boolean
  /** To be called before the collection changes, which may make it give out what is about to change. */
  readonly freeze: () => void
  /** Must be called when no more is wanted, unless `next` has said that it is over. */
  readonly end: () => void
}

/** What takes the elements; what is not there is given out by nobody. */
export interface Visitor {
  readonly member: (member: string) => void
  /** `deadline` in Unix ms, absent for none. */
  readonly field: (field: string, value: string, deadline: number | undefined) => void
  /** In descending order, as in snapshots of redis-server, but for those that change: to read them back is to append. */
  readonly scored: (member: string, score: number) => void
  readonly item: (item: string) => void
  readonly node: (node: StreamNode) => void
  /** What a stream is beside its nodes, which come first; it gives out some of that with each step. */
  readonly rest: (stream: StreamState) => Iterator<unknown>
  /** After everything else. */
  readonly end: () => void
}

/** Smaller collections are written as a whole. */
const sizeMin = 1000
/** Elements, or nodes of a stream, given out at once: 30 us where they are small, some ms where they are long and compressed. */
const pieceElements = 64
const pieceNodes = 2

/** Whether a collection is to be given out in pieces: what is one piece of bytes is not, however long the settings let it be. */
export const isLarge = (value: Value): boolean =>
  typeof value === "object" &&
  value.size >= sizeMin &&
  value.type !== "string" &&
  value.encoding !== "listpack" &&
  value.encoding !== "intset"

/** The elements of a large collection. */
export const of = (value: Value, visitor: Visitor): Elements => {
  // Whatever is that large is in records.
  if (value instanceof SetValue) return fromWalk(value.walkAll(visitor.member)!, visitor)
  if (value instanceof Hash) return fromWalk(value.walkAll(visitor.field)!, visitor)
  if (value instanceof SortedSet) return fromWalk(value.walkAll(visitor.scored)!, visitor)
  if (value instanceof List) return items(value, visitor)
  return nodes(value as Stream, visitor)
}

const nothing = (): void => {}

const fromWalk = (walk: ElementWalk, visitor: Visitor): Elements => ({
  next: () => {
    if (walk.next(pieceElements)) return true
    walk.end()
    visitor.end()
    return false
  },
  freeze: nothing,
  end: () => walk.end(),
})

const items = (list: List, visitor: Visitor): Elements => {
  const { size } = list
  let source = list
  let from = 0
  return {
    next: () => {
      const count = Math.min(size - from, pieceElements)
      source.slice(from, count).forEach(visitor.item)
      from += count
      if (from < size) return true
      visitor.end()
      return false
    },
    freeze: () => {
      if (source === list) source = list.copy()
    },
    end: nothing,
  }
}

const nodes = (stream: Stream, visitor: Visitor): Elements => {
  const all = [...stream.nodes]
  /** Nodes as they were, where they have changed. */
  const copies = new Map<StreamNode, StreamNode>()
  let next = 0
  let frozen: StreamState | undefined
  let rest: Iterator<unknown> | undefined
  const unwatch = stream.watch((node) => {
    // Those that are given out come before, and those that are new behind.
    if (next === all.length || Id.compare(node, all[next]) < 0 || Id.compare(node, all[all.length - 1]) > 0) return
    if (!copies.has(node)) copies.set(node, node.copy())
  })
  return {
    next: () => {
      if (next < all.length) {
        const end = Math.min(all.length, next + pieceNodes)
        for (; next < end; next++) {
          const node = all[next]
          visitor.node(copies.get(node) ?? node)
          copies.delete(node)
        }
        return true
      }
      rest ??= visitor.rest((frozen ??= stream.state(true)))
      if (rest.next().done !== true) return true
      unwatch()
      visitor.end()
      return false
    },
    freeze: () => {
      frozen ??= stream.state(true)
    },
    end: unwatch,
  }
}
