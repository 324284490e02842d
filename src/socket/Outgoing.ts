/**
 * What a connection has to send: a byte string that grows at its end, or bytes in the arena that all connections share
 * (codec/ReplyArena.ts), or first the one and then the other.
 *
 * The idea to hold: the replies of a pipeline are short, and written to the arena one behind the other. A single short reply, which is
 * what a client without a pipeline gets, is a string from the beginning: making one of bytes costs 80 ns.
 */
import type { Codec } from "../codec/Codec.ts"
import { isThere, Region } from "../codec/ReplyArena.ts"
import type { Protocol } from "../codec/Encoder.ts"
import type { Reply } from "../codec/Reply.ts"

/** What is longer than this might become longer than a string can be. */
const lengthMax = 256 * 1024 * 1024

export class Outgoing {
  private readonly addSmall: Codec["Type"]["addSmall"]
  private text = ""
  /** What comes after `text`, if it is open. */
  private readonly region = new Region()

  constructor(codec: Codec["Type"]) {
    this.addSmall = codec.addSmall
  }

  get length(): number {
    return this.region.isOpen ? this.text.length + this.region.length : this.text.length
  }

  /** Adds a reply that is written to the arena, or is there already; false, having done nothing that can be seen, for any other. */
  addShort(reply: Reply, protocol: Protocol): boolean {
    const { addSmall, region } = this
    if (addSmall === undefined) return false
    if (!region.isLast && !this.mayBegin(reply)) return false
    const start = addSmall(reply, protocol)
    if (start === -1) return false
    if (!region.isOpen) region.begin(start)
    region.extend()
    return true
  }

  private mayBegin(reply: Reply): boolean {
    // Somebody else has written since.
    this.settle()
    const { length } = this.text
    if (length > lengthMax) return false
    if (isThere(reply)) return true
    // A constant is joined more cheaply than made; it only goes along with others.
    if (length === 0) return false
    const { _tag } = reply
    return _tag === "Int" || _tag === "Bulk" || _tag === "Bulks"
  }

  add(bytes: string): void {
    this.settle()
    this.text += bytes
  }

  set(bytes: string): void {
    this.take()
    this.text = bytes
  }

  /** Gives all, and is empty then. Bytes are to be sent before anything else is written. */
  take(): string | Buffer {
    const { region } = this
    return region.isOpen && this.text === "" ? region.take() : this.takeText()
  }

  /** As `take`, as text. */
  takeText(): string {
    this.settle()
    const { text } = this
    this.text = ""
    return text
  }

  /** What is in the arena becomes text. */
  settle(): void {
    if (this.region.isOpen) this.text += this.region.takeText()
  }
}
