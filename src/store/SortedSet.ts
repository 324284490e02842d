/**
 * A sorted set: members with scores, in order of score and then of the member's bytes. Ranks, bounds and single members cost
 * O(log n), a range O(log n) and one step a member. Options and errors are the commands' business.
 *
 * The idea to hold: every range, by rank, score or member, is first an interval of ranks, and `visit` walks one. Inside, a
 * small set is one byte string (`PackedScores`), any other an `IndexedScores`; neither choice shows. What OBJECT ENCODING
 * reports is a flag of its own, because Redis turns a listpack into a skiplist at the configured limits and never back.
 */
import { stringBytes } from "./HeapBytes.ts"
import { IndexedScores } from "./IndexedScores.ts"
import * as Packed from "./PackedScores.ts"
import type { ElementWalk } from "./records/RecordWalk.ts"
import type { Collection, Limits } from "./Value.ts"

/** An interval of scores. */
export interface ScoreRange {
  readonly min: number
  readonly max: number
  readonly minExclusive: boolean
  readonly maxExclusive: boolean
}

/** An end of an interval of members: `undefined` as the member is the end of everything in that direction. */
export interface LexBound {
  readonly member: string | undefined
  /** The least or greatest of all, when there is no member. */
  readonly side: "least" | "greatest"
  readonly exclusive: boolean
}

export interface LexRange {
  readonly min: LexBound
  readonly max: LexBound
}

/** Ranks from `start` up to, not including, `end`; empty when `end <= start`. */
export interface Ranks {
  readonly start: number
  readonly end: number
}

const none: Ranks = { start: 0, end: 0 }

/** The thresholds of the two settings. */
export type SortedSetLimits = Pick<Limits, "zsetMaxListpackEntries" | "zsetMaxListpackValue">

const isFrom = (member: string, min: LexBound): boolean =>
  min.member === undefined ? min.side === "least" : min.exclusive ? member > min.member : member >= min.member

const isUpTo = (member: string, max: LexBound): boolean =>
  max.member === undefined ? max.side === "greatest" : max.exclusive ? member < max.member : member <= max.member

const isEmptyRange = ({ min, max }: LexRange): boolean => {
  if (min.member !== undefined && max.member !== undefined) {
    return min.member > max.member || (min.member === max.member && (min.exclusive || max.exclusive))
  }
  return (min.member === undefined && min.side === "greatest") || (max.member === undefined && max.side === "least")
}

export class SortedSet implements Collection {
  #inside: string | IndexedScores = ""
  #size = 0
  #isSkiplist = false

  /**
   * An empty set that is about to hold so many members of at most so many bytes. Where these make a skiplist, it is one from the
   * first member on, so that no minus zero is lost on the way.
   */
  static expecting(size: number, longest: number, limits: SortedSetLimits): SortedSet {
    const set = new SortedSet()
    set.#isSkiplist = size > limits.zsetMaxListpackEntries || longest > limits.zsetMaxListpackValue
    return set
  }

  /** A set of `size` members in the form of `PackedScores`, within the limits of one. */
  static ofPacked(packed: string, size: number): SortedSet {
    const set = new SortedSet()
    set.#inside = packed
    set.#size = size
    return set
  }

  get type(): "zset" {
    return "zset"
  }

  get size(): number {
    return this.#size
  }

  get encoding(): "listpack" | "skiplist" {
    return this.#isSkiplist ? "skiplist" : "listpack"
  }

  /** Becomes a skiplist to OBJECT ENCODING: what SORT does to the sets that it reads. */
  toSkiplist(): void {
    this.#isSkiplist = true
  }

  /** The score of `member`, or absent. */
  score(member: string): number | undefined {
    const inside = this.#inside
    if (typeof inside !== "string") return inside.score(member)
    const entry = Packed.find(inside, member)
    return entry === -1 ? undefined : Packed.scoreOf(inside, entry)
  }

  /** How many members come before `member`, or absent. */
  rank(member: string): number | undefined {
    const inside = this.#inside
    if (typeof inside !== "string") return inside.rank(member)
    const entry = Packed.find(inside, member)
    return entry === -1 ? undefined : Packed.rankOf(inside, entry)
  }

  /**
   * Sets the score of `member`, which is added if it is not there. A score equal to the old one changes nothing. A minus zero
   * is kept by a skiplist and becomes zero in a listpack, as in Redis.
   */
  put(member: string, score: number, limits: SortedSetLimits): "added" | "updated" | "unchanged" {
    const inside = this.#inside
    if (typeof inside === "string") {
      const entry = Packed.find(inside, member)
      if (entry === -1) return this.#add(member, score, limits)
      if (Packed.scoreOf(inside, entry) === score) return "unchanged"
      this.#inside = Packed.insert(Packed.remove(inside, entry), member, this.#kept(score))
      return "updated"
    }
    const address = inside.records.find(member)
    if (address === 0) return this.#add(member, score, limits)
    if (inside.records.score(address) === score) return "unchanged"
    inside.setScore(address, this.#kept(score))
    return "updated"
  }

  /** Removes `member`; answers whether it was there. */
  remove(member: string): boolean {
    const inside = this.#inside
    if (typeof inside === "string") {
      const entry = Packed.find(inside, member)
      if (entry === -1) return false
      this.#inside = Packed.remove(inside, entry)
    } else {
      const address = inside.records.find(member)
      if (address === 0) return false
      inside.remove(address)
    }
    this.#size--
    return true
  }

  /** Removes the members of an interval of ranks, which must lie within the set. */
  removeRanks({ start, end }: Ranks): void {
    if (end - start === this.#size) {
      this.#inside = ""
      this.#size = 0
      return
    }
    const members: Array<string> = []
    this.visit(start, end - start, false, (member) => members.push(member))
    for (const member of members) this.remove(member)
  }

  /** Removes the first or the last member, which `visitor` gets; there must be one. The string is for answering: keep a flat copy. */
  takeEnd(last: boolean, visitor: (member: string, score: number) => void): void {
    const inside = this.#inside
    if (typeof inside === "string") {
      const entry = last ? Packed.entryAt(inside, this.#size - 1) : 0
      visitor(Packed.memberOf(inside, entry), Packed.scoreOf(inside, entry))
      this.#inside = Packed.remove(inside, entry)
    } else inside.takeEnd(last, visitor)
    this.#size--
  }

  /** The member at `rank`, 0 <= rank < size. */
  memberAt(rank: number): string {
    const inside = this.#inside
    if (typeof inside !== "string") return inside.records.member(inside.tree.at(rank))
    let found = ""
    Packed.visit(inside, rank, 1, false, (member) => (found = member))
    return found
  }

  /**
   * Visits `count` members in order from `rank`, downward when `reverse`; all of them must exist. The set must not change
   * meanwhile. The strings are for answering: keep a flat copy.
   */
  visit(rank: number, count: number, reverse: boolean, visitor: (member: string, score: number) => void): void {
    if (count <= 0) return
    const inside = this.#inside
    if (typeof inside === "string") Packed.visit(inside, rank, count, reverse, visitor)
    else inside.visit(rank, count, reverse, visitor)
  }

  /** Visits every member in order. */
  forEach(visitor: (member: string, score: number) => void): void {
    this.visit(0, this.#size, false, visitor)
  }

  /** The ranks of the members whose score lies in `range`. */
  ranksOfScores({ min, max, minExclusive, maxExclusive }: ScoreRange): Ranks {
    if (min > max || (min === max && (minExclusive || maxExclusive))) return none
    return {
      start: min === -Infinity && !minExclusive ? 0 : this.#countBelow(min, minExclusive),
      end: max === Infinity && !maxExclusive ? this.#size : this.#countBelow(max, !maxExclusive),
    }
  }

  /**
   * The ranks of the members in `range`, where all scores are equal. Where they are not, a small set answers what Redis
   * finds in a listpack: the run of matching members that begins with the first match, or with the last when `reverse`.
   */
  ranksOfMembers(range: LexRange, reverse = false): Ranks {
    if (this.#size === 0 || isEmptyRange(range)) return none
    const { min, max } = range
    if (!isFrom(this.memberAt(this.#size - 1), min) || !isUpTo(this.memberAt(0), max)) return none
    if (typeof this.#inside === "string") return this.#runOfMembers(this.#inside, range, reverse)
    const { tree } = this.#inside
    return {
      start: tree.countWhile((member) => !isFrom(member, min)),
      end: tree.countWhile((member) => isUpTo(member, max)),
    }
  }

  /**
   * Visits at least `count` members from `cursor` (0 begins), in no order, and returns the next cursor (0: done). A member
   * that is there from start to end is visited, whatever is added and removed between the calls; a listpack comes whole.
   */
  scan(cursor: number, count: number, visitor: (member: string, score: number) => void): number {
    const inside = this.#inside
    if (typeof inside === "string" || !this.#isSkiplist) {
      this.forEach(visitor)
      return 0
    }
    // The cursor is the position after the next one to visit, see RecordTable.
    let next = cursor === 0 ? this.#size : Math.min(cursor, this.#size)
    for (let left = count; left > 0 && next > 0; left--) {
      next--
      const address = inside.records.at(next)
      visitor(inside.records.member(address), inside.records.score(address))
    }
    return next
  }

  /** Begins to give out the members that there are, in descending order; they may change meanwhile. Absent where they are no records. */
  walkAll(give: (member: string, score: number) => void): ElementWalk | undefined {
    const inside = this.#inside
    return typeof inside === "string" ? undefined : inside.walk(give)
  }

  copy(): SortedSet {
    const copy = new SortedSet()
    copy.#size = this.#size
    copy.#isSkiplist = this.#isSkiplist
    const inside = this.#inside
    if (typeof inside === "string") copy.#inside = inside
    else {
      const indexed = new IndexedScores()
      inside.visit(0, this.#size, false, (member, score) => indexed.append(member, score))
      copy.#inside = indexed
    }
    return copy
  }

  release(): boolean {
    return typeof this.#inside !== "string" && this.#inside.release()
  }

  memoryUsage(): number {
    const inside = this.#inside
    if (typeof inside === "string") return objectBytes + stringBytes(inside.length)
    return objectBytes + tableBytes + inside.records.memoryBytes + this.#size * treeBytes
  }

  #add(member: string, score: number, limits: SortedSetLimits): "added" {
    const size = ++this.#size
    if (size > limits.zsetMaxListpackEntries || member.length > limits.zsetMaxListpackValue) {
      this.#isSkiplist = true
    }
    const kept = this.#kept(score)
    const inside = this.#inside
    if (typeof inside !== "string") inside.append(member, kept)
    else if (size <= Packed.entriesMax && Packed.hasRoom(inside, member)) {
      this.#inside = Packed.insert(inside, member, kept)
    } else this.#index(inside, size - 1).append(member, kept)
    return "added"
  }

  #kept(score: number): number {
    return this.#isSkiplist ? score : score + 0
  }

  /** Moves the `size` members of a string into an index. */
  #index(packed: string, size: number): IndexedScores {
    const indexed = new IndexedScores()
    Packed.visit(packed, 0, size, false, (member, score) => indexed.append(member, score))
    this.#inside = indexed
    return indexed
  }

  #countBelow(score: number, inclusive: boolean): number {
    const inside = this.#inside
    return typeof inside === "string"
      ? Packed.countBelow(inside, score, inclusive)
      : inside.tree.countBelow(score, inclusive)
  }

  #runOfMembers(packed: string, { min, max }: LexRange, reverse: boolean): Ranks {
    const members: Array<string> = []
    Packed.visit(packed, 0, this.#size, false, (member) => members.push(member))
    if (reverse) {
      let end = members.length
      while (end > 0 && !isUpTo(members[end - 1]!, max)) end--
      let start = end
      while (start > 0 && isFrom(members[start - 1]!, min)) start--
      return { start, end }
    }
    let start = 0
    while (start < members.length && !isFrom(members[start]!, min)) start++
    let end = start
    while (end < members.length && isUpTo(members[end]!, max)) end++
    return { start, end }
  }
}

/** Heap bytes of the object itself. */
const objectBytes = 48
/** The tables of the records and the tree, empty. */
const tableBytes = 200
/** Bytes a member in the tree, whose leaves have 2 KiB outside of the heap and 300 bytes in it, and are two thirds full on average. */
const treeBytes = 27
