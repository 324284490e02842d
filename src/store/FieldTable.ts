/** The inside of a large hash: a `MemberTable` of its fields, and the values by the same positions. */
import { MemberTable } from "./MemberTable.ts"

const segmentBits = 10
const segmentMask = (1 << segmentBits) - 1

export class FieldTable {
  #fields = new MemberTable()
  /** In pieces, so that no insertion moves all of them. */
  #values: Array<Array<string>> = []

  get size(): number {
    return this.#fields.size
  }

  /** The position of `field`, or -1. */
  find(field: string): number {
    return this.#fields.find(field)
  }

  field(position: number): string {
    return this.#fields.at(position)
  }

  value(position: number): string {
    return this.#values[position >>> segmentBits][position & segmentMask]
  }

  /** `value` must be flat. */
  setValue(position: number, value: string): void {
    this.#values[position >>> segmentBits][position & segmentMask] = value
  }

  /** Adds a copy of a field that is not there; `value` must be flat. */
  append(field: string, value: string): void {
    if ((this.#fields.size & segmentMask) === 0) this.#values.push([])
    this.#values[this.#fields.size >>> segmentBits].push(value)
    this.#fields.append(field)
  }

  /** Removes the field at `position`; the last one takes its place. */
  remove(position: number): void {
    this.#fields.remove(position)
    const last = this.#fields.size
    const value = this.#values[last >>> segmentBits].pop()!
    if (position !== last) this.setValue(position, value)
    if ((last & segmentMask) === 0) this.#values.pop()
  }

  copy(): FieldTable {
    const copy = new FieldTable()
    copy.#fields = this.#fields.copy()
    copy.#values = this.#values.map((segment) => [...segment])
    return copy
  }
}
