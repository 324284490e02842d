/**
 * A string value of 16 to 128 KiB, too long for a block of a segment: bytes of its own outside the heap. Those that SET and its kin
 * store come as `StringBuffer`s, whatever the keyspace; this is for all others (MSET, RESTORE, what is loaded).
 *
 * V8 keeps a string up to 128 KiB among its young objects, so one that is stored is copied by two collections before it counts as old.
 * Longer strings are never copied, and stay in the heap: reading them costs nothing, which STRLEN of a large one relies on. Strings
 * of 4 to 16 KiB are there too.
 */
import type { Value } from "../Value.ts"

const lengthMin = 16 * 1024
const lengthMax = 128 * 1024

export class LongText {
  private bytes: Buffer
  private length: number

  constructor(text: string) {
    this.length = text.length
    this.bytes = Buffer.allocUnsafeSlow(text.length)
    this.bytes.latin1Write(text, 0, text.length)
  }

  static takes(value: Value): value is string {
    return typeof value === "string" && value.length >= lengthMin && value.length <= lengthMax
  }

  /** Bytes set aside for it. */
  get size(): number {
    return this.bytes.length
  }

  read(): string {
    return this.bytes.latin1Slice(0, this.length)
  }

  /** Writes another text in its place; false when it does not fit, or leaves half of the room unused. */
  replace(text: string): boolean {
    if (text.length > this.bytes.length || text.length * 2 < this.bytes.length) return false
    this.length = text.length
    this.bytes.latin1Write(text, 0, text.length)
    return true
  }
}
