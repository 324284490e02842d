/**
 * Several short byte strings in one: an element is its length, its bytes, and its length again, so that it can be walked
 * from both ends. Two bytes an element, where a string of its own and a reference to it cost 24 and more.
 *
 * The idea to hold: nothing here holds state. A change makes a new string, put together in one scratch buffer, so whoever
 * has the old one keeps it unchanged. Elements read out are cuts of the whole: keep a flat copy.
 */
const scratch = Buffer.allocUnsafeSlow(16 * 1024)

/** Longer elements cannot be packed. */
export const elementLengthMax = 255
/** No packed string is longer: what is put together must fit the scratch buffer. */
export const lengthMax = 8 * 1024
/** What an element costs beside its bytes. */
export const overhead = 2

/** Below this many chars a loop writes faster than the native call. */
const loopMax = 24

const write = (bytes: string, at: number): number => {
  const { length } = bytes
  if (length > loopMax) scratch.latin1Write(bytes, at, length)
  else for (let i = 0; i < length; i++) scratch[at + i] = bytes.charCodeAt(i)
  return at + length
}

const writeElement = (element: string, at: number): number => {
  scratch[at] = element.length
  const end = write(element, at + 1)
  scratch[end] = element.length
  return end + 1
}

/** `left`, one element, and `right`, in one; absent when that cannot be packed. */
export const joinOne = (left: string, element: string, right: string): string | undefined => {
  const { length } = element
  if (length > elementLengthMax || left.length + length + overhead + right.length > lengthMax) return undefined
  return scratch.latin1Slice(0, write(right, writeElement(element, write(left, 0))))
}

/**
 * `left`, the elements `items[from]` up to but not including `items[to]` (downward when `to` is lower), and `right`, in
 * one; absent when that cannot be packed.
 */
export const join = (
  left: string,
  items: ReadonlyArray<string>,
  from: number,
  to: number,
  right: string,
): string | undefined => {
  const step = to < from ? -1 : 1
  if (left.length + right.length > lengthMax) return undefined
  let at = write(left, 0)
  for (let i = from; i !== to; i += step) {
    const { length } = items[i]
    if (length > elementLengthMax || at + length + overhead + right.length > lengthMax) return undefined
    at = writeElement(items[i], at)
  }
  return scratch.latin1Slice(0, write(right, at))
}

export const first = (packed: string): string => packed.substring(1, 1 + packed.charCodeAt(0))

export const last = (packed: string): string => {
  const end = packed.length - 1
  return packed.substring(end - packed.charCodeAt(end), end)
}

/** Where the element after the one at `at` begins. */
export const next = (packed: string, at: number): number => at + packed.charCodeAt(at) + overhead

/** Where the element at `index` begins, of `count` in all; for `index === count` the end. */
export const offsetOf = (packed: string, index: number, count: number): number => {
  if (index <= count >>> 1) {
    let at = 0
    for (let i = 0; i < index; i++) at = next(packed, at)
    return at
  }
  let at = packed.length
  for (let i = count; i > index; i--) at -= packed.charCodeAt(at - 1) + overhead
  return at
}

/** The element that begins at `at`. */
export const elementAt = (packed: string, at: number): string =>
  packed.substring(at + 1, at + 1 + packed.charCodeAt(at))

/** Appends `count` elements to `out`, the first of which begins at `at`. */
export const collect = (packed: string, at: number, count: number, out: Array<string>): void => {
  for (let left = count; left > 0; left--) {
    const length = packed.charCodeAt(at)
    out.push(packed.substring(at + 1, at + 1 + length))
    at += length + overhead
  }
}

/** Gets an element: the part of `text` from `start` up to but not including `end`. */
export type Visitor = (text: string, start: number, end: number) => void

/** Visits `count` elements, the first of which begins at `at`. */
export const visit = (packed: string, at: number, count: number, visitor: Visitor): void => {
  let start = at + 1
  for (let left = count; left > 0; left--) {
    const end = start + packed.charCodeAt(start - 1)
    visitor(packed, start, end)
    start = end + overhead
  }
}

/** Whether no element is there twice, in `bytes` from `start` up to `end`. */
export const isDistinct = (bytes: Buffer, start: number, end: number): boolean => {
  for (let element = start; element < end; element += bytes[element] + overhead) {
    for (let other = start; other < element; other += bytes[other] + overhead) {
      if (isSame(bytes, element, other)) return false
    }
  }
  return true
}

const isSame = (bytes: Buffer, one: number, other: number): boolean => {
  const length = bytes[one]
  for (let i = 0; i <= length; i++) if (bytes[one + i] !== bytes[other + i]) return false
  return true
}

/** All elements. */
export const unpack = (packed: string): Array<string> => {
  const items: Array<string> = []
  for (let at = 0; at < packed.length; at = next(packed, at)) items.push(elementAt(packed, at))
  return items
}
