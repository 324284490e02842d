/** The checksum of RDB files and DUMP payloads. */
import { describe, expect, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import { Crc64, crc64 } from "../src/bytes/Crc64.ts"

const bytes = fc.uint8Array({ maxLength: 200 })

/** The same checksum a bit at a time. */
const slowly = (input: Uint8Array): bigint => {
  let crc = 0n
  for (const byte of input) {
    crc ^= BigInt(byte)
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ 0x95ac9329ac4bc9b5n : crc >> 1n
  }
  return crc
}

describe("Crc64", () => {
  it("has Redis's check value", () => expect(crc64("123456789")).toBe(0xe9c6d914c4b8d9can))

  it("is what redis-server puts at the end of a DUMP", () => {
    const dump = Buffer.from("\x00+The quick brown fox jumps over the lazy dog\x0a\x00<h;\xc6,\xc4\xa9\xfa", "latin1")
    expect(new Crc64().update(dump, 0, dump.length - 8).matches(dump, dump.length - 8)).toBe(true)
  })

  it.prop("is the remainder of the polynomial division", [bytes], ([input]) => {
    expect(crc64(input)).toBe(slowly(input))
  })

  it.prop("does not depend on how the bytes are split", [fc.array(bytes, { maxLength: 5 })], (parts) => {
    const whole = Buffer.concat(parts[0])
    const pieces = new Crc64()
    for (const part of parts[0]) pieces.update(part)
    expect(pieces.value).toBe(crc64(whole))
    expect(crc64(whole.toString("latin1"))).toBe(crc64(whole))
    const written = Buffer.alloc(9)
    pieces.write(written, 1)
    expect(written.readBigUInt64LE(1)).toBe(pieces.value)
    expect(pieces.matches(written, 1)).toBe(true)
    expect(pieces.update(Uint8Array.of(1)).matches(written, 1)).toBe(false)
  })

  it("takes strings longer than its scratch buffer", () => {
    const text = "\u00ffabc".repeat(20_000)
    expect(crc64(text)).toBe(crc64(Buffer.from(text, "latin1")))
  })
})
