/**
 * What DUMP answers and RESTORE takes: the type byte and the value as in a snapshot, the version of the format in two bytes and a
 * checksum over all of it in eight.
 */
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

/** The bytes of the value if the version is one that can be read and the checksum is right. */
export const open = (payload: string): Buffer | undefined => {
  const bytes = Buffer.from(payload, "latin1")
  const end = bytes.length - footerSize
  if (end < 0 || bytes.readUInt16LE(end) > versionReadMax) return undefined
  return new Crc64().update(bytes, 0, end + 2).matches(bytes, end + 2) ? bytes.subarray(0, end) : undefined
}

/** The value in the bytes of an opened payload, `undefined` where they are not one. */
export const read = (bytes: Buffer, limits: Limits): Value | undefined => {
  try {
    const reader = new ByteReader(bytes)
    const type = reader.byte()
    if (type > Type.hashListpackDeadlines) return undefined
    // Bytes behind the value are ignored, as redis-server does.
    const value = readStored(reader, type, limits)
    return typeof value === "object" && value.type === "module" ? undefined : value
  } catch (cause) {
    if (cause instanceof Damaged) return undefined
    throw cause
  }
}
