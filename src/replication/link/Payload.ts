/**
 * A full resynchronization as it comes from a master: empty lines that say it is still there, a header, and a snapshot, either of a
 * known length (`$1234`) or up to a mark that nobody could guess (`$EOF:` and 40 characters). What comes behind is the stream of changes.
 *
 * The idea to hold: the snapshot is handed on as it comes, wherever the pieces are torn; of one that ends in a mark so much is held back
 * as the mark might begin in.
 */
import { Damaged } from "../../persistence/rdb/Format.ts"

/** Who reads the snapshot. */
export interface Sink {
  /** Takes the next bytes; `last` says that no more follow. Throws `Damaged`. */
  readonly feed: (chunk: Buffer, last: boolean) => void
  /** Whether the end has been read, and where that was. */
  readonly done: boolean
  readonly offset: number
}

const markBytes = 40
const lineFeed = 10
const dollar = 36
/** No header is longer; what is, is something else. */
const headerBytesMax = 64
const none = Buffer.alloc(0)

export class Payload {
  /** Length of the snapshot; 0 if it ends in a mark, -1 until the header has come. */
  totalBytes = -1
  /** Bytes of it that have come. */
  readBytes = 0
  private readonly begin: (totalBytes: number) => Sink
  private sink: Sink | undefined
  private mark: Buffer | undefined
  /** What has come and has not been handed on. */
  private held: Buffer = none

  /** `begin` is called when the header has come. */
  constructor(begin: (totalBytes: number) => Sink) {
    this.begin = begin
  }

  /** Takes what comes next; gives what came behind the payload when all of it is there. Throws `Damaged`. */
  feed(chunk: Buffer): Buffer | undefined {
    let bytes = this.held.length === 0 ? chunk : Buffer.concat([this.held, chunk])
    this.held = none
    if (this.sink === undefined) {
      const start = this.header(bytes)
      if (start < 0) {
        this.held = Buffer.from(bytes)
        return undefined
      }
      bytes = bytes.subarray(start)
    }
    return this.mark === undefined ? this.ofLength(bytes, this.sink!) : this.upToMark(bytes, this.sink!, this.mark)
  }

  /** Reads the header; gives where the snapshot begins, -1 if it has not come. */
  private header(bytes: Buffer): number {
    let start = 0
    while (start < bytes.length && bytes[start] === lineFeed) start++
    if (start === bytes.length) return -1
    const end = bytes.indexOf(lineFeed, start)
    const line = bytes.latin1Slice(start, end < 0 ? bytes.length : end).trimEnd()
    if (bytes[start] !== dollar || line.length > headerBytesMax) {
      throw new Damaged(0, `no snapshot, but ${JSON.stringify(line.slice(0, headerBytesMax))}`)
    }
    if (end < 0) return -1
    if (line.startsWith("$EOF:") && line.length === 5 + markBytes) {
      this.mark = Buffer.from(line.slice(5), "latin1")
      this.totalBytes = 0
    } else if (/^\$\d{1,15}$/.test(line)) this.totalBytes = Number(line.slice(1))
    else throw new Damaged(0, `no length of a snapshot, but ${JSON.stringify(line)}`)
    this.sink = this.begin(this.totalBytes)
    return end + 1
  }

  private ofLength(bytes: Buffer, sink: Sink): Buffer | undefined {
    const left = this.totalBytes - this.readBytes
    const part = bytes.length > left ? bytes.subarray(0, left) : bytes
    return this.hand(part, part.length === left, sink) ? bytes.subarray(part.length) : undefined
  }

  private upToMark(bytes: Buffer, sink: Sink, mark: Buffer): Buffer | undefined {
    const at = bytes.indexOf(mark)
    const end = at >= 0 ? at : Math.max(0, bytes.length - markBytes + 1)
    if (at < 0) this.held = Buffer.from(bytes.subarray(end))
    return this.hand(bytes.subarray(0, end), at >= 0, sink) ? bytes.subarray(at + markBytes) : undefined
  }

  /** Hands a part on; whether it was the last. The snapshot has to end where its last byte is. */
  private hand(part: Buffer, last: boolean, sink: Sink): boolean {
    if (sink.done && part.length > 0) throw new Damaged(sink.offset, "something follows the end of the snapshot")
    this.readBytes += part.length
    if (!sink.done && (part.length > 0 || last)) sink.feed(part, last)
    if (!last) return false
    if (sink.done && sink.offset === this.readBytes) return true
    throw new Damaged(sink.offset, "something follows the end of the snapshot")
  }
}
