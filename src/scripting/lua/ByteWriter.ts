/** A growing run of bytes, kept and used again by the libraries that build strings. Nothing written stays behind a `reset`. */

const startBytes = 4096
/** A buffer that grew beyond this is let go at the next `reset`. */
const keptBytesMax = 1024 * 1024

export class ByteWriter {
  bytes = new Uint8Array(startBytes)
  length = 0

  reset(): void {
    this.length = 0
    if (this.bytes.length > keptBytesMax) this.bytes = new Uint8Array(startBytes)
  }

  private reserve(count: number): void {
    const needed = this.length + count
    if (needed <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2))
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
  }

  byte(value: number): void {
    if (this.length === this.bytes.length) this.reserve(1)
    this.bytes[this.length++] = value
  }

  /** The lowest `count` bytes of `value`, which is below 2^53, the highest first. */
  bigEndian(value: number, count: number): void {
    this.reserve(count)
    for (let index = count - 1; index >= 0; index--) {
      this.bytes[this.length + index] = value % 256
      value = Math.floor(value / 256)
    }
    this.length += count
  }

  text(text: string): void {
    this.reserve(text.length)
    for (let i = 0; i < text.length; i++) this.bytes[this.length + i] = text.charCodeAt(i)
    this.length += text.length
  }

  copy(source: Uint8Array, from: number, count: number): void {
    this.reserve(count)
    this.bytes.set(source.subarray(from, from + count), this.length)
    this.length += count
  }
}
