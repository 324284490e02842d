/** The inside of a large hash: a `NameTable` of its fields, and the values by the same positions. */
import { NameTable, segmentBits, segmentMask } from "./NameTable.ts"

export class FieldTable {
  readonly #fields = new NameTable()
  readonly #values: Array<Array<string>> = []

  get size(): number {
    return this.#fields.size
  }

  /** The position of `field`, or -1. */
  find(field: string): number {
    return this.#fields.find(field)
  }

  field(position: number): string {
    return this.#fields.name(position)
  }

  value(position: number): string {
    return this.#values[position >>> segmentBits]![position & segmentMask]!
  }

  /** `value` must be flat. */
  setValue(position: number, value: string): void {
    this.#values[position >>> segmentBits]![position & segmentMask] = value
  }

  /** Adds a field that is not there; both strings must be flat. */
  append(field: string, value: string): void {
    const position = this.#fields.append(field)
    if ((position & segmentMask) === 0) this.#values.push([])
    this.#values[position >>> segmentBits]!.push(value)
  }

  /** Removes the field at `position`; the last one takes its place. */
  remove(position: number): void {
    this.#fields.remove(position)
    const last = this.#fields.size
    const value = this.#values[last >>> segmentBits]!.pop()!
    if (position !== last) this.setValue(position, value)
    if ((last & segmentMask) === 0) this.#values.pop()
  }
}
