/**
 * A string that reads as an integer and is nevertheless kept as text: what INCRBYFLOAT leaves behind. Redis does not turn the
 * sum back into an integer, and OBJECT ENCODING shows it. Everywhere else it is a string like any other.
 *
 * The invariant: the text never changes, so a copy is the value itself.
 */
import type { Collection } from "./Value.ts"

export class IntegerText implements Collection {
  readonly type = "string"
  readonly encoding = "embstr"
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  get size(): number {
    return this.#text.length
  }

  copy(): IntegerText {
    return this
  }

  /** As Redis would count it: an object, a short header, the text and a terminating zero. */
  memoryUsage(): number {
    return 16 + 3 + this.#text.length + 1
  }

  toString(): string {
    return this.#text
  }
}
