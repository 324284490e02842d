/**
 * A hash: fields with values, and for some fields the time at which they go. A field costs O(1) (in a small hash a short walk);
 * options and errors are the commands' business.
 *
 * The idea to hold: what OBJECT ENCODING calls a listpack is one byte string in order of insertion (`PackedFields`), a hashtable
 * is a `FieldTable`, and the way from the one to the other is taken at Redis's limits and never back. Deadlines lie apart, so a
 * hash without any pays one empty reference for them.
 * The invariant: only fields that are there have deadlines. Fields past their deadline are still there until somebody calls
 * `expireElements`; `Database` does so on each look-up.
 */
import { flat } from "../bytes/Bytes.ts"
import { FieldDeadlines } from "./FieldDeadlines.ts"
import { FieldTable } from "./FieldTable.ts"
import { stringBytes } from "./HeapBytes.ts"
import * as Packed from "./PackedFields.ts"
import type { ElementWalk } from "./records/RecordWalk.ts"
import type { Collection, Limits } from "./Value.ts"

/** The thresholds of the two settings. */
export type HashLimits = Pick<Limits, "hashMaxListpackEntries" | "hashMaxListpackValue">

const none: ReadonlyArray<string> = []

export class Hash implements Collection {
  #inside: string | FieldTable = ""
  #size = 0
  #deadlines: FieldDeadlines | undefined = undefined

  /** A hash of `size` fields in the form of `PackedFields`, within the limits of one. */
  static ofPacked(packed: string, size: number): Hash {
    const hash = new Hash()
    hash.#inside = packed
    hash.#size = size
    return hash
  }

  get type(): "hash" {
    return "hash"
  }

  get size(): number {
    return this.#size
  }

  get encoding(): "listpack" | "hashtable" {
    return typeof this.#inside === "string" ? "listpack" : "hashtable"
  }

  /** The value of `field`, or absent. It is for answering: keep a flat copy. */
  get(field: string): string | undefined {
    const inside = this.#inside
    if (typeof inside === "string") {
      const entry = Packed.find(inside, field)
      return entry === -1 ? undefined : Packed.valueOf(inside, entry)
    }
    return inside.get(field)
  }

  has(field: string): boolean {
    const inside = this.#inside
    return typeof inside === "string" ? Packed.find(inside, field) !== -1 : inside.has(field)
  }

  /** Bytes of the value of `field`; 0 where it is absent. */
  valueLength(field: string): number {
    const inside = this.#inside
    if (typeof inside === "string") {
      const entry = Packed.find(inside, field)
      return entry === -1 ? 0 : Packed.valueLengthOf(inside, entry)
    }
    return inside.valueLength(field)
  }

  /** Sets the value of `field`, whose deadline stays. Answers whether the field is new. The strings need not be flat. */
  put(field: string, value: string, limits: HashLimits): boolean {
    const inside = this.#inside
    if (typeof inside !== "string") return this.#putInTable(inside, field, value)
    if (isLong(field, value, limits)) return this.#putInTable(this.#index(inside), field, value)
    const entry = Packed.find(inside, field)
    if (entry === -1) {
      this.#inside = Packed.append(inside, field, value)
      this.#size++
    } else if (Packed.valueOf(inside, entry) !== value) this.#inside = Packed.replace(inside, entry, value)
    if (this.#size > limits.hashMaxListpackEntries) this.#index(this.#inside as string)
    return entry === -1
  }

  /** As `put`, for the pairs of `words` from index `from` on: field, value, field, value. Answers how many fields are new. */
  putAll(words: ReadonlyArray<string>, from: number, limits: HashLimits): number {
    const before = this.#size
    const inside = this.#inside
    if (typeof inside !== "string" || words.length - from <= 2) {
      for (let i = from; i < words.length; i += 2) this.put(words[i], words[i + 1], limits)
      return this.#size - before
    }
    // One after the other they would be copied once a pair.
    const fields = new Map<string, string>()
    Packed.forEach(inside, (field, value) => fields.set(field, value))
    let short = true
    for (let i = from; i < words.length; i += 2) {
      if (isLong(words[i], words[i + 1], limits)) short = false
      fields.set(words[i], words[i + 1])
    }
    this.#size = fields.size
    if (short && fields.size <= limits.hashMaxListpackEntries) this.#inside = Packed.pack(fields)
    else {
      const table = new FieldTable()
      for (const [field, value] of fields) table.append(field, value)
      this.#inside = table
    }
    return this.#size - before
  }

  /** Removes `field` and its deadline; answers whether it was there. */
  remove(field: string): boolean {
    const inside = this.#inside
    if (typeof inside === "string") {
      const entry = Packed.find(inside, field)
      if (entry === -1) return false
      this.#inside = Packed.remove(inside, entry)
    } else if (!inside.remove(field)) return false
    this.#size--
    if (this.#deadlines !== undefined) this.setDeadline(field, undefined)
    return true
  }

  /** The field at a position drawn by the caller, 0 <= position < size. */
  fieldAt(position: number): string {
    const inside = this.#inside
    return typeof inside === "string"
      ? Packed.fieldOf(inside, Packed.entryAt(inside, position))
      : inside.field(position)
  }

  valueAt(position: number): string {
    const inside = this.#inside
    return typeof inside === "string"
      ? Packed.valueOf(inside, Packed.entryAt(inside, position))
      : inside.value(position)
  }

  /** Visits every field, those of a listpack in order of insertion. The hash must not change meanwhile. */
  forEach(visitor: (field: string, value: string) => void): void {
    const inside = this.#inside
    if (typeof inside === "string") Packed.forEach(inside, visitor)
    else inside.visit(0, inside.size, visitor)
  }

  /**
   * Visits at least `count` fields from `cursor` (0 begins) and returns the next cursor (0: done). A field that is there from
   * start to end is visited, whatever is added and removed between the calls; a listpack comes whole.
   */
  scan(cursor: number, count: number, visitor: (field: string, value: string) => void): number {
    const inside = this.#inside
    if (typeof inside === "string") {
      Packed.forEach(inside, visitor)
      return 0
    }
    // The cursor is the position after the last one to visit, see RecordTable.
    const end = cursor === 0 ? inside.size : Math.min(cursor, inside.size)
    const start = Math.max(0, end - count)
    inside.visit(start, end - start, visitor)
    return start
  }

  /** Begins to give out the fields that there are, which may change meanwhile. Absent where they are no records. */
  walkAll(give: (field: string, value: string, deadline: number | undefined) => void): ElementWalk | undefined {
    const inside = this.#inside
    if (typeof inside === "string") return undefined
    return inside.walk((field, value) => give(field, value, this.deadline(field)))
  }

  /** Unix ms at which `field` goes; absent when it stays or is not there. */
  deadline(field: string): number | undefined {
    return this.#deadlines?.get(field)
  }

  /** `field` must be there; `undefined` takes its deadline away. Answers whether it had one. */
  setDeadline(field: string, atMs: number | undefined): boolean {
    if (typeof this.#inside !== "string") this.#inside.changing(field)
    if (atMs === undefined) {
      if (this.#deadlines === undefined) return false
      const had = this.#deadlines.delete(field)
      if (this.#deadlines.size === 0) this.#deadlines = undefined
      return had
    }
    const deadlines = (this.#deadlines ??= new FieldDeadlines())
    const had = deadlines.get(field) !== undefined
    deadlines.set(flat(field), atMs)
    return had
  }

  get lastDeadline(): number {
    const deadlines = this.#deadlines
    return deadlines === undefined || deadlines.size < this.#size ? Infinity : deadlines.latest
  }

  get nextDeadline(): number {
    return this.#deadlines === undefined ? Infinity : this.#deadlines.next
  }

  expireElements(now: number, max = Infinity): ReadonlyArray<string> {
    const deadlines = this.#deadlines
    if (deadlines === undefined) return none
    const inside = this.#inside
    const due = deadlines.takeDue(now, max, (field) => {
      if (typeof inside !== "string") inside.changing(field)
    })
    // Their deadlines are gone already, so that removing them need not look for any.
    this.#deadlines = undefined
    for (const field of due) this.remove(field)
    if (deadlines.size > 0) this.#deadlines = deadlines
    return due
  }

  copy(): Hash {
    const copy = new Hash()
    const inside = this.#inside
    copy.#size = this.#size
    copy.#deadlines = this.#deadlines?.copy()
    copy.#inside = typeof inside === "string" ? inside : inside.copy()
    return copy
  }

  release(): boolean {
    return typeof this.#inside !== "string" && this.#inside.release()
  }

  memoryUsage(): number {
    const inside = this.#inside
    const deadlines = (this.#deadlines?.size ?? 0) * deadlineBytes
    if (typeof inside === "string") return objectBytes + stringBytes(inside.length) + deadlines
    return objectBytes + tableBytes + inside.memoryBytes + deadlines
  }

  #putInTable(table: FieldTable, field: string, value: string): boolean {
    const isNew = table.put(field, value)
    if (isNew) this.#size++
    return isNew
  }

  /** Moves the fields of a string into a table. */
  #index(packed: string): FieldTable {
    const table = new FieldTable()
    Packed.forEach(packed, (field, value) => table.append(field, value))
    this.#inside = table
    return table
  }
}

const isLong = (field: string, value: string, { hashMaxListpackValue }: HashLimits): boolean =>
  field.length > hashMaxListpackValue || value.length > hashMaxListpackValue

/** Heap bytes of the object itself, and of an empty table. */
const objectBytes = 48
const tableBytes = 200
/** Heap bytes of a deadline: in the map and in the heap. */
const deadlineBytes = 72
