/**
 * What DUMP answers and RESTORE takes: the type byte and the value as in a snapshot, the version of the format in two bytes and a
 * checksum over all of it in eight.
 */
import * as Either from "effect/Either"
import { Crc64 } from "../../bytes/Crc64.ts"
import type { Limits, Value } from "../../store/Value.ts"
import { ByteReader } from "./ByteReader.ts"
import type { ByteWriter } from "./ByteWriter.ts"
import { Damaged, Type, versionReadMax, versionWritten } from "./Format.ts"
import { readStored } from "./StoreDecoder.ts"

const footerSize = 10

/** Makes a payload of the value that `out` holds, its type byte first. */
export const seal = (out: ByteWriter): string => {
  out.uint16(versionWritten)
  const checksum = new Crc64().update(out.bytes, 0, out.size)
  out.room(8)
  checksum.write(out.bytes, out.size)
  out.size += 8
  return out.written.latin1Slice()
}

/** The bytes of the value if the version is one that can be read and the checksum is right, or nobody asks for it. */
export const open = (payload: string, verify: boolean): Buffer | undefined => {
  const bytes = Buffer.from(payload, "latin1")
  const end = bytes.length - footerSize
  if (end < 0 || bytes.readUInt16LE(end) > versionReadMax) return undefined
  if (!verify) return bytes.subarray(0, end)
  return new Crc64().update(bytes, 0, end + 2).matches(bytes, end + 2) ? bytes.subarray(0, end) : undefined
}

/** The value in the bytes of an opened payload, or what is wrong with them. `isStrict`: see `ByteReader`. */
export const read = (bytes: Buffer, limits: Limits, isStrict: boolean): Either.Either<Value, Damaged> => {
  const reader = new ByteReader(bytes)
  reader.isStrict = isStrict
  const refuse = (reason: string) => Either.left(new Damaged(reader.offset, reason))
  try {
    const type = reader.byte()
    if (type > Type.hashListpackDeadlines) return refuse(`unknown value type ${type}`)
    // Bytes behind the value are ignored, as redis-server does.
    const value = readStored(reader, type, limits)
    if (value === undefined) return refuse("empty collection")
    return typeof value === "object" && value.type === "module"
      ? refuse(`value of the module ${value.name}`)
      : Either.right(value)
  } catch (cause) {
    if (cause instanceof Damaged) return Either.left(cause)
    throw cause
  }
}
