/** Makes the payloads that DUMP answers and MIGRATE sends, one after the other in the same buffer. */
import type { Values } from "../../config/Config.ts"
import { bulkLengthMax } from "../../store/StringBuffer.ts"
import type { Value } from "../../store/Value.ts"
import { ByteWriter } from "./ByteWriter.ts"
import * as Payload from "./Payload.ts"
import { StoreEncoder } from "./StoreEncoder.ts"

/** Payloads up to this size are built in a buffer that is kept. */
const keptBytesMax = 64 * 1024

export class PayloadWriter {
  private readonly current: Values
  private out: ByteWriter
  private encoder: StoreEncoder

  constructor(current: Values) {
    this.current = current
    this.out = new ByteWriter(1024, current.rdbcompression)
    this.encoder = new StoreEncoder(this.out, current)
  }

  /** The payload of a value; absent where it is longer than a string on the wire can be. */
  of(value: Value): string | undefined {
    const { current } = this
    if (this.out.bytes.length > keptBytesMax || this.out.compression !== current.rdbcompression) {
      this.out = new ByteWriter(1024, current.rdbcompression)
      this.encoder = new StoreEncoder(this.out, current)
    }
    const { encoder, out } = this
    out.clear()
    encoder.type(value, false)
    encoder.value(value)
    return out.size > bulkLengthMax ? undefined : Payload.seal(out)
  }
}
