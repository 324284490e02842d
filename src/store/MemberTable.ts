/**
 * The inside of a large set: members by position, 0..size-1 without holes, see `RecordTable`. Up to 16 members are strings in an array:
 * comparing them all is as fast as an index.
 */
import { flat } from "../bytes/Bytes.ts"
import { elementBytes } from "./HeapBytes.ts"
import { RecordTable } from "./records/RecordTable.ts"
import { RecordWalk, type ElementWalk } from "./records/RecordWalk.ts"

export const fewMax = 16
const headWords = 2
const slicedAtOnce = 256

export class MemberTable {
  /** A table of up to `fewMax` distinct members. */
  static ofFew(members: ReadonlyArray<string>): MemberTable {
    const table = new MemberTable()
    for (const member of members) table.#few.push(flat(member))
    return table
  }

  /** Empty once there are `#records`. */
  #few: Array<string> = []
  #records: RecordTable | undefined = undefined

  get size(): number {
    return this.#records === undefined ? this.#few.length : this.#records.size
  }

  has(member: string): boolean {
    return this.#records === undefined ? this.#few.includes(member) : this.#records.find(member) !== 0
  }

  /** The member at a position, 0 <= position < size. */
  at(position: number): string {
    return this.#records === undefined ? this.#few[position] : this.#records.member(this.#records.at(position))
  }

  /** The members at `count` positions from `position` on. They are for answering: keep flat copies. */
  slice(position: number, count: number): Array<string> {
    const records = this.#records
    if (records === undefined) return this.#few.slice(position, position + count)
    const members: Array<string> = []
    for (let from = position, left = count; left > 0; from += slicedAtOnce, left -= slicedAtOnce) {
      records.membersAt(from, Math.min(left, slicedAtOnce), members)
    }
    return members
  }

  /** Begins to give out the members that there are, which may change meanwhile. Absent where there are few. */
  walk(give: (member: string) => void): ElementWalk | undefined {
    const records = this.#records
    return records === undefined ? undefined : new RecordWalk(records, (address) => give(records.member(address)))
  }

  /** Adds a copy of `member` unless it is there; answers whether it was added. */
  add(member: string): boolean {
    const records = this.#records
    if (records !== undefined) {
      if (records.find(member) !== 0) return false
      records.insert(member, 0)
      return true
    }
    if (this.#few.includes(member)) return false
    if (this.#few.length < fewMax) this.#few.push(flat(member))
    else this.#toRecords().insert(member, 0)
    return true
  }

  /** Removes `member`, whose position the last one takes; answers whether it was there. */
  remove(member: string): boolean {
    const records = this.#records
    if (records !== undefined) {
      const address = records.find(member)
      if (address !== 0) records.remove(address)
      return address !== 0
    }
    const position = this.#few.indexOf(member)
    if (position === -1) return false
    this.#fill(position)
    return true
  }

  /** Removes the member at a position, which the last one takes, and returns it. */
  removeAt(position: number): string {
    const records = this.#records
    if (records === undefined) {
      const member = this.#few[position]
      this.#fill(position)
      return member
    }
    const address = records.at(position)
    const member = records.member(address)
    records.remove(address)
    return member
  }

  copy(): MemberTable {
    const copy = new MemberTable()
    for (const member of this.slice(0, this.size)) copy.add(member)
    return copy
  }

  /** See `Collection.release`. */
  release(): boolean {
    return this.#records?.release() ?? false
  }

  /** Bytes of memory, by the rules of store/Memory.ts. */
  get memoryBytes(): number {
    if (this.#records !== undefined) return this.#records.memoryBytes
    let bytes = 0
    for (const member of this.#few) bytes += elementBytes(member.length)
    return bytes
  }

  #fill(position: number): void {
    const last = this.#few.pop()!
    if (position < this.#few.length) this.#few[position] = last
  }

  #toRecords(): RecordTable {
    const records = new RecordTable(headWords)
    for (const member of this.#few) records.insert(member, 0)
    this.#few = []
    this.#records = records
    return records
  }
}
