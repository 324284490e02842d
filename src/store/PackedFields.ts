/**
 * The inside of a small hash: one byte string with its fields and values in the order in which the fields came. A field or
 * value is its length and its bytes; a length below 255 takes one byte, any other five.
 *
 * The idea to hold: at up to 128 short fields a walk over a flat string is as fast as any index, and it costs 2 bytes an
 * entry where two strings and their references would cost 50. A change makes a new string, put together in one scratch
 * buffer; nothing here holds state, so a copy of the hash is the same string.
 */
const longMark = 255
const longHeader = 5

const lengthAt = (packed: string, at: number): number => {
  const length = packed.charCodeAt(at)
  return length < longMark
    ? length
    : packed.charCodeAt(at + 1) * 0x1000000 +
        ((packed.charCodeAt(at + 2) << 16) | (packed.charCodeAt(at + 3) << 8) | packed.charCodeAt(at + 4))
}

const headerOf = (length: number): number => (length < longMark ? 1 : longHeader)

/** Where what follows the string at `at` begins. */
const skip = (packed: string, at: number): number => {
  const length = lengthAt(packed, at)
  return at + headerOf(length) + length
}

const textAt = (packed: string, at: number): string => {
  const length = lengthAt(packed, at)
  const start = at + headerOf(length)
  return packed.substring(start, start + length)
}

/** Where the entry of `field` begins, or -1. */
export const find = (packed: string, field: string): number => {
  const { length } = field
  const last = length - 1
  const lastCode = field.charCodeAt(last)
  for (let at = 0; at < packed.length;) {
    const size = lengthAt(packed, at)
    const start = at + headerOf(size)
    // Names of one length often differ in their last byte only: one look at it spares most comparisons.
    if (
      size === length &&
      (length === 0 || packed.charCodeAt(start + last) === lastCode) &&
      packed.startsWith(field, start)
    ) {
      return at
    }
    at = skip(packed, start + size)
  }
  return -1
}

/** Up to so many entries are compared with each other. */
const comparedMax = 16

/**
 * Whether no field is there twice, among `count` entries that stand in `bytes` from `start` up to `end`. All fields and values must be
 * shorter than 255 bytes.
 */
export const isDistinct = (bytes: Buffer, start: number, end: number, count: number): boolean => {
  const fields = count > comparedMax ? new Set<string>() : undefined
  for (let entry = start; entry < end; entry = skipBytes(bytes, skipBytes(bytes, entry))) {
    if (fields !== undefined) fields.add(bytes.latin1Slice(entry + 1, skipBytes(bytes, entry)))
    else {
      for (let other = start; other < entry; other = skipBytes(bytes, skipBytes(bytes, other))) {
        if (isSameText(bytes, entry, other)) return false
      }
    }
  }
  return fields === undefined || fields.size === count
}

const skipBytes = (bytes: Buffer, at: number): number => at + 1 + bytes[at]

/** Whether two texts are the same, their lengths before them. */
const isSameText = (bytes: Buffer, one: number, other: number): boolean => {
  const length = bytes[one]
  for (let i = 0; i <= length; i++) if (bytes[one + i] !== bytes[other + i]) return false
  return true
}

/** The field of the entry at `entry`: a cut of `packed`, as `valueOf` is. Keep flat copies. */
export const fieldOf = textAt

export const valueOf = (packed: string, entry: number): string => textAt(packed, skip(packed, entry))

/** Bytes of the value, without making it. */
export const valueLengthOf = (packed: string, entry: number): number => lengthAt(packed, skip(packed, entry))

/** Where the entry at `position` begins. */
export const entryAt = (packed: string, position: number): number => {
  let entry = 0
  for (let left = position; left > 0; left--) entry = skip(packed, skip(packed, entry))
  return entry
}

export const forEach = (packed: string, visitor: (field: string, value: string) => void): void => {
  for (let at = 0; at < packed.length;) {
    const value = skip(packed, at)
    visitor(textAt(packed, at), textAt(packed, value))
    at = skip(packed, value)
  }
}

// --- changes -------------------------------------------------------------------------------------------------------

let scratch = Buffer.allocUnsafeSlow(32 * 1024)

/** Below this many chars a loop writes faster than the native call. */
const loopMax = 24

const write = (text: string, at: number): number => {
  const { length } = text
  if (length > loopMax) scratch.latin1Write(text, at, length)
  else for (let i = 0; i < length; i++) scratch[at + i] = text.charCodeAt(i)
  return at + length
}

const writeText = (text: string, at: number): number => {
  const { length } = text
  if (length < longMark) {
    scratch[at] = length
    return write(text, at + 1)
  }
  scratch[at] = longMark
  scratch.writeUInt32BE(length, at + 1)
  return write(text, at + longHeader)
}

const reserve = (size: number): void => {
  if (size > scratch.length) scratch = Buffer.allocUnsafeSlow(size * 2)
}

/** Adds a field that is not there, as the last. */
export const append = (packed: string, field: string, value: string): string => {
  reserve(packed.length + field.length + value.length + 2 * longHeader)
  return scratch.latin1Slice(0, writeText(value, writeText(field, write(packed, 0))))
}

/** Gives the entry at `entry` another value. */
export const replace = (packed: string, entry: number, value: string): string => {
  const at = skip(packed, entry)
  reserve(packed.length + value.length + longHeader)
  scratch.latin1Write(packed, 0, at)
  return scratch.latin1Slice(0, write(packed.substring(skip(packed, at)), writeText(value, at)))
}

export const remove = (packed: string, entry: number): string => {
  reserve(packed.length)
  scratch.latin1Write(packed, 0, entry)
  return scratch.latin1Slice(0, write(packed.substring(skip(packed, skip(packed, entry))), entry))
}

/** All of `fields` in one. */
export const pack = (fields: ReadonlyMap<string, string>): string => {
  let size = 0
  for (const [field, value] of fields) size += field.length + value.length + 2 * longHeader
  reserve(size)
  let at = 0
  for (const [field, value] of fields) at = writeText(value, writeText(field, at))
  return scratch.latin1Slice(0, at)
}
