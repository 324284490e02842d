/**
 * A set: distinct byte strings. Set algebra, options and errors are the commands' business.
 *
 * The idea to hold: a small set of integers is one packed string in ascending order, the only order a client can see; any
 * other set is a `MemberTable`. As in Redis the first member that is no integer, or one integer too many, turns the one
 * (`intset`) into the other (`hashtable`), and nothing turns it back.
 */
import { parseInteger } from "../bytes/Numbers.ts"
import { stringBytes } from "./HeapBytes.ts"
import { MemberTable } from "./MemberTable.ts"
import * as Integers from "./PackedIntegers.ts"
import * as Packed from "./PackedStrings.ts"
import type { ElementWalk } from "./records/RecordWalk.ts"
import type { Collection, Limits } from "./Value.ts"

/** The threshold of the setting. */
export type SetLimits = Pick<Limits, "setMaxIntsetEntries">

/** More integers than this are never one string, whatever the setting says. */
const integersMax = 1 << 30

/** The iterator's steps. */
const atOnce = 256

export class SetValue implements Collection {
  #inside: string | MemberTable = Integers.empty

  /** A set of up to `fewMax` members in the form of `PackedStrings`, not all of them integers. */
  static ofPacked(packed: string): SetValue {
    const set = new SetValue()
    set.#inside = MemberTable.ofFew(Packed.unpack(packed))
    return set
  }

  /** A set of integers in the form of `PackedIntegers`. */
  static ofIntegers(packed: string): SetValue {
    const set = new SetValue()
    set.#inside = packed
    return set
  }

  get type(): "set" {
    return "set"
  }

  get encoding(): "intset" | "hashtable" {
    return typeof this.#inside === "string" ? "intset" : "hashtable"
  }

  get size(): number {
    const inside = this.#inside
    return typeof inside === "string" ? Integers.count(inside) : inside.size
  }

  has(member: string): boolean {
    const inside = this.#inside
    if (typeof inside !== "string") return inside.has(member)
    const value = parseInteger(member)
    return value !== undefined && Integers.find(inside, value) >= 0
  }

  /** Adds a copy of `member`; answers whether it is new. */
  add(member: string, limits: SetLimits): boolean {
    const inside = this.#inside
    if (typeof inside !== "string") return inside.add(member)
    const value = parseInteger(member)
    if (value === undefined) return this.#toTable(inside).add(member)
    const found = Integers.find(inside, value)
    if (found >= 0) return false
    const packed = Integers.insert(inside, value, -1 - found)
    this.#inside = packed
    if (Integers.count(packed) > Math.min(limits.setMaxIntsetEntries, integersMax)) this.#toTable(packed)
    return true
  }

  /** Removes `member`; answers whether it was there. */
  remove(member: string): boolean {
    const inside = this.#inside
    if (typeof inside !== "string") return inside.remove(member)
    const value = parseInteger(member)
    const index = value === undefined ? -1 : Integers.find(inside, value)
    if (index < 0) return false
    this.#inside = Integers.remove(inside, index)
    return true
  }

  /** The member at a position, 0 <= position < size: ascending in an intset, otherwise in no order. */
  at(position: number): string {
    const inside = this.#inside
    return typeof inside === "string" ? String(Integers.at(inside, position)) : inside.at(position)
  }

  /** Removes the member at a position, which the last one may take, and returns it. */
  removeAt(position: number): string {
    const inside = this.#inside
    if (typeof inside !== "string") return inside.removeAt(position)
    const member = this.at(position)
    this.#inside = Integers.remove(inside, position)
    return member
  }

  /** All members, by position. They are for answering: keep flat copies. */
  members(): Array<string> {
    const inside = this.#inside
    return typeof inside === "string" ? Integers.texts(inside) : inside.slice(0, inside.size)
  }

  /** The members, by position. The set must not change meanwhile. */
  *[Symbol.iterator](): IterableIterator<string> {
    const inside = this.#inside
    if (typeof inside === "string") return yield* Integers.texts(inside)
    const { size } = inside
    for (let from = 0; from < size; from += atOnce) yield* inside.slice(from, Math.min(atOnce, size - from))
  }

  /**
   * Visits at least `count` members from `cursor` (0 begins), and returns the next cursor (0: done). A member that is there
   * from start to end is visited, whatever is added and removed between the calls; an intset comes whole.
   */
  scan(cursor: number, count: number, visitor: (member: string) => void): number {
    const inside = this.#inside
    if (typeof inside === "string") {
      for (const member of Integers.texts(inside)) visitor(member)
      return 0
    }
    const { size } = inside
    // The cursor is the position after the last one to visit, see RecordTable.
    const end = cursor === 0 ? size : Math.min(cursor, size)
    const start = Math.max(0, end - count)
    for (const member of inside.slice(start, end - start)) visitor(member)
    return start
  }

  /** Begins to give out the members that there are, which may change meanwhile. Absent where they are no records. */
  walkAll(give: (member: string) => void): ElementWalk | undefined {
    const inside = this.#inside
    return typeof inside === "string" ? undefined : inside.walk(give)
  }

  copy(): SetValue {
    const copy = new SetValue()
    const inside = this.#inside
    copy.#inside = typeof inside === "string" ? inside : inside.copy()
    return copy
  }

  release(): boolean {
    return typeof this.#inside !== "string" && this.#inside.release()
  }

  memoryUsage(): number {
    const inside = this.#inside
    if (typeof inside === "string") return objectBytes + stringBytes(inside.length)
    return objectBytes + tableBytes + inside.memoryBytes
  }

  #toTable(packed: string): MemberTable {
    const table = new MemberTable()
    const size = Integers.count(packed)
    for (let index = 0; index < size; index++) table.add(String(Integers.at(packed, index)))
    this.#inside = table
    return table
  }
}

/** Heap bytes of the object itself, and of an empty table. */
const objectBytes = 32
const tableBytes = 200
