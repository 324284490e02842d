/**
 * The inside of a large hash: fields with values by position, 0..size-1 without holes, see `RecordTable`. Up to 16 fields are strings in
 * arrays: comparing them all is as fast as an index.
 */
import { flat } from "../bytes/Bytes.ts"
import { elementBytes } from "./HeapBytes.ts"
import { FieldRecords } from "./records/FieldRecords.ts"
import { RecordWalk, type ElementWalk } from "./records/RecordWalk.ts"

const fewMax = 16
const visitedAtOnce = 64

export class FieldTable {
  /** Both empty once there are `#records`. */
  #fields: Array<string> = []
  #values: Array<string> = []
  #records: FieldRecords | undefined = undefined

  get size(): number {
    return this.#records === undefined ? this.#fields.length : this.#records.size
  }

  has(field: string): boolean {
    return this.#records === undefined ? this.#fields.includes(field) : this.#records.find(field) !== 0
  }

  /** The value of `field`, or absent. */
  get(field: string): string | undefined {
    const records = this.#records
    if (records !== undefined) {
      const address = records.find(field)
      return address === 0 ? undefined : records.value(address)
    }
    const position = this.#fields.indexOf(field)
    return position === -1 ? undefined : this.#values[position]
  }

  /** Bytes of the value of `field`; 0 where it is absent. */
  valueLength(field: string): number {
    const records = this.#records
    if (records === undefined) return this.get(field)?.length ?? 0
    const address = records.find(field)
    return address === 0 ? 0 : records.valueLength(address)
  }

  field(position: number): string {
    return this.#records === undefined ? this.#fields[position] : this.#records.member(this.#records.at(position))
  }

  value(position: number): string {
    return this.#records === undefined ? this.#values[position] : this.#records.value(this.#records.at(position))
  }

  /** Visits the fields at `count` positions from `position` on. The strings are for answering: keep flat copies. */
  visit(position: number, count: number, visitor: (field: string, value: string) => void): void {
    const records = this.#records
    if (records === undefined) {
      for (let i = position; i < position + count; i++) visitor(this.#fields[i], this.#values[i])
      return
    }
    for (let from = position, left = count; left > 0; from += visitedAtOnce, left -= visitedAtOnce) {
      const pairs: Array<string> = []
      records.pairsAt(from, Math.min(left, visitedAtOnce), pairs)
      for (let i = 0; i < pairs.length; i += 2) visitor(pairs[i], pairs[i + 1])
    }
  }

  /** Begins to give out the fields that there are, which may change meanwhile. Absent where there are few. */
  walk(give: (field: string, value: string) => void): ElementWalk | undefined {
    const records = this.#records
    if (records === undefined) return undefined
    return new RecordWalk(records, (address) => give(records.member(address), records.value(address)))
  }

  /** To be called before something changes that belongs to `field` and is not kept here. */
  changing(field: string): void {
    const records = this.#records
    if (records === undefined || records.walks.length === 0) return
    const address = records.find(field)
    if (address !== 0) records.changing(address)
  }

  /** Sets the value of `field`; answers whether the field is new. The strings need not be flat. */
  put(field: string, value: string): boolean {
    const records = this.#records
    if (records !== undefined) {
      const address = records.find(field)
      if (address === 0) records.insertField(field, value)
      else records.setValue(address, value)
      return address === 0
    }
    const position = this.#fields.indexOf(field)
    if (position === -1) this.append(field, value)
    else this.#values[position] = flat(value)
    return position === -1
  }

  /** Adds a field that is not there. */
  append(field: string, value: string): void {
    if (this.#records === undefined && this.#fields.length < fewMax) {
      this.#fields.push(flat(field))
      this.#values.push(flat(value))
    } else (this.#records ?? this.#toRecords()).insertField(field, value)
  }

  /** Removes `field`, whose position the last one takes; answers whether it was there. */
  remove(field: string): boolean {
    const records = this.#records
    if (records !== undefined) {
      const address = records.find(field)
      if (address !== 0) records.remove(address)
      return address !== 0
    }
    const position = this.#fields.indexOf(field)
    if (position === -1) return false
    const lastField = this.#fields.pop()!
    const lastValue = this.#values.pop()!
    if (position < this.#fields.length) {
      this.#fields[position] = lastField
      this.#values[position] = lastValue
    }
    return true
  }

  copy(): FieldTable {
    const copy = new FieldTable()
    this.visit(0, this.size, (field, value) => copy.append(field, value))
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
    for (let i = 0; i < this.#fields.length; i++) {
      bytes += elementBytes(this.#fields[i].length) + elementBytes(this.#values[i].length)
    }
    return bytes
  }

  #toRecords(): FieldRecords {
    const records = new FieldRecords()
    for (let i = 0; i < this.#fields.length; i++) records.insertField(this.#fields[i], this.#values[i])
    this.#fields = []
    this.#values = []
    this.#records = records
    return records
  }
}
