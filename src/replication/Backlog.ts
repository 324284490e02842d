/**
 * The last bytes of the stream of changes, kept so that a replica whose link broke can go on where it was.
 *
 * The idea to hold: offsets count the bytes of the whole history, the first one being 1, as in redis-server. The ring holds those
 * from `firstOffset` on, and forgets the oldest when it is full.
 */

/** redis-server keeps at least so much, whatever is asked for. */
const bytesMin = 16 * 1024
/** What is held has to fit into one string; and 4 GiB is all that a buffer can be. */
const bytesMax = 511 * 1024 * 1024

const ringOf = (bytes: number): Buffer => Buffer.alloc(Math.min(Math.max(bytes, bytesMin), bytesMax))

export class Backlog {
  /** Offset of the oldest byte that is held; of the next one, if none is. */
  firstOffset: number
  /** Bytes that are held. */
  length = 0
  private ring: Buffer
  /** Where the next byte goes. */
  private end = 0

  /** `offset`: that of the last byte of the history so far. */
  constructor(bytes: number, offset: number) {
    this.ring = ringOf(bytes)
    this.firstOffset = offset + 1
  }

  /** Bytes that can be held. */
  get size(): number {
    return this.ring.length
  }

  write(text: string): void {
    const { ring } = this
    const { length: size } = ring
    // Of more than fits only the end remains.
    let from = Math.max(0, text.length - size)
    while (from < text.length) {
      const written = ring.latin1Write(from === 0 ? text : text.slice(from), this.end)
      this.end = (this.end + written) % size
      from += written
    }
    const total = this.length + text.length
    this.length = Math.min(total, size)
    this.firstOffset += total - this.length
  }

  /** Whether the bytes from `offset` on can be given. */
  has(offset: number): boolean {
    return offset >= this.firstOffset && offset <= this.firstOffset + this.length
  }

  /** The bytes from `offset` on. */
  from(offset: number): string {
    const { end, ring } = this
    const length = this.firstOffset + this.length - offset
    if (length <= end) return ring.latin1Slice(end - length, end)
    return ring.latin1Slice(ring.length - (length - end)) + ring.latin1Slice(0, end)
  }

  /** Changes how much can be held; the latest bytes stay. */
  resize(bytes: number): void {
    const kept = this.from(this.firstOffset)
    const offset = this.firstOffset - 1
    this.ring = ringOf(bytes)
    this.end = this.length = 0
    this.firstOffset = offset + 1
    this.write(kept)
  }
}
