/**
 * What a connection has to send, as one byte string that grows at its end.
 *
 * The idea to hold: the short replies of a batch are written as bytes, into memory that all connections share, and become a part of the
 * string when something else follows, or when another connection has some. One connection is served after the other, so that
 * happens once a batch. A single reply, which is what a client without a pipeline gets, is a string from the beginning: making one of
 * bytes costs 80 ns.
 */
import type { Codec } from "../codec/Codec.ts"
import { smallReplyMax } from "../codec/SmallReply.ts"
import type { Protocol } from "../codec/Encoder.ts"
import type { Reply } from "../codec/Reply.ts"

const shared = Buffer.allocUnsafeSlow(16 * 1024)

/** Whose bytes are in `shared`, and where they end. */
let owner: OutText | undefined
let end = 0

const lend = (next: OutText): void => {
  owner?.settle()
  owner = next
}

/** What is longer than this might become longer than a string can be. */
const lengthMax = 256 * 1024 * 1024

export class OutText {
  private readonly write: Codec["Type"]["writeSmall"]
  /** All but what is in `shared`. */
  private text = ""

  constructor(codec: Codec["Type"]) {
    this.write = codec.writeSmall
  }

  get length(): number {
    return owner === this ? this.text.length + end : this.text.length
  }

  /** Adds a reply that is short and not the first; false, having done nothing, for any other. */
  addShort(reply: Reply, protocol: Protocol): boolean {
    if (this.write === undefined || this.text === "" || this.text.length > lengthMax) return false
    if (owner !== this || end > shared.length - smallReplyMax) {
      // A constant is joined more cheaply than made; it only goes along with others.
      if (reply._tag !== "Int" && reply._tag !== "Bulk") return false
      lend(this)
    }
    const written = this.write(reply, protocol, shared, end)
    if (written === -1) return false
    end = written
    return true
  }

  add(bytes: string): void {
    if (owner === this) this.settle()
    this.text += bytes
  }

  set(bytes: string): void {
    if (owner === this) this.settle()
    this.text = bytes
  }

  /** Gives all, and is empty then. */
  take(): string {
    if (owner === this) this.settle()
    const { text } = this
    this.text = ""
    return text
  }

  /** Its bytes leave the shared memory. */
  settle(): void {
    if (end > 0) this.text += shared.latin1Slice(0, end)
    owner = undefined
    end = 0
  }
}
