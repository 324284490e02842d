/**
 * A long string in a snapshot, written a block at a time: to compress 100 MB at once would keep everybody waiting for a second.
 *
 * The idea to hold: LZF has no header and reaches back 8 KiB at most, so the compressed forms of blocks, one behind the other, are the
 * compressed form of the whole, hardly longer. Its length stands in front, so blocks wait until the last one is done; if they turn out to
 * be no shorter than the string, it is written as it is.
 */
import { StringBuffer } from "../../store/StringBuffer.ts"
import type { Value } from "../../store/Value.ts"
import type { Elements } from "../snapshot/Elements.ts"
import type { ByteWriter } from "./ByteWriter.ts"
import { StringEncoding } from "./Format.ts"
import { compress, literal } from "./Lzf.ts"

const blockBytes = 32 * 1024
/** Shorter ones are written at once. */
const lengthMin = 64 * 1024

/** Room for a block that does not compress: a byte more for each 32. */
const scratch = Buffer.allocUnsafeSlow(blockBytes * 2)
const block = Buffer.allocUnsafeSlow(blockBytes)

/** Whether a value is to be written in blocks. */
export const isLong = (value: Value): value is string | StringBuffer =>
  (typeof value === "string" || value instanceof StringBuffer) && value.length >= lengthMin

/** Writes the string into `out`; `end` is called after the last block. */
export const pieces = (value: string | StringBuffer, out: ByteWriter, end: () => void): Elements => {
  const { length } = value
  let source = value
  let from = 0
  const blocks: Array<Buffer> = []
  let packed = 0
  /** The next block, which stays until the next call. */
  const take = (): Buffer => {
    const start = from
    from = Math.min(length, from + blockBytes)
    if (typeof source !== "string") return source.bytes.subarray(start, from)
    block.latin1Write(source.substring(start, from), 0)
    return block.subarray(0, from - start)
  }
  const write = (): boolean => {
    if (from === 0) out.length(length)
    out.raw(take())
    return from < length
  }
  const writePacked = (): boolean => {
    if (from === length) {
      from = 0
      out.byte(0xc0 | StringEncoding.lzf)
      out.length(packed)
      out.length(length)
    }
    out.raw(blocks[from++])
    return from < blocks.length
  }
  const pack = (): boolean => {
    const bytes = take()
    const size = compress(bytes, scratch, 0, bytes.length)
    const packedSize = size < 0 ? literal(bytes, scratch) : size
    packed += packedSize
    if (packed > length - 4) {
      // Not worth it.
      blocks.length = 0
      from = 0
      step = write
    } else {
      blocks.push(Buffer.from(scratch.subarray(0, packedSize)))
      if (from === length) step = writePacked
    }
    return true
  }
  let step: () => boolean = out.compression ? pack : write
  return {
    next: () => {
      if (step()) return true
      end()
      return false
    },
    freeze: () => {
      if (source === value && typeof source !== "string" && step !== writePacked) source = source.copy()
    },
    end: () => {},
  }
}
