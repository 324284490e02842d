/**
 * The longest common subsequence of two byte strings, for LCS. Where several are longest, the choice is Redis's: walking
 * back from both ends, equal bytes are taken, and otherwise the first string is shortened only if that keeps strictly more.
 *
 * The idea to hold: the table of lengths is never kept. A row of it is enough to compute the next one, and one bit a cell,
 * the direction of the walk back, is enough to find the way: 1/32 of the memory that the table takes in Redis. The row
 * runs along the shorter string.
 */

/** A stretch that both strings have, by the positions of its first and last byte in each. */
export interface Match {
  readonly firstStart: number
  readonly firstEnd: number
  readonly secondStart: number
  readonly secondEnd: number
}

export interface CommonSubsequence {
  readonly length: number
  /** Every maximal stretch, from the end of the strings to their start. */
  readonly matches: ReadonlyArray<Match>
}

const toBytes = (bytes: string): Uint8Array => Buffer.from(bytes, "latin1")

/** Fills in the table row by row; answers the length, and sets a bit in `directions` where the walk back shortens `outer`. */
const fill = (outer: string, inner: Uint8Array, ties: 0 | 1, directions: Uint32Array | undefined): number => {
  const width = inner.length
  const row = new Uint32Array(width + 1)
  let word = 0
  let cell = 0
  for (let i = 0; i < outer.length; i++) {
    const byte = outer.charCodeAt(i)
    let diagonal = 0
    let left = 0
    for (let j = 1; j <= width; j++) {
      const top = row[j]
      if (byte === inner[j - 1]) left = diagonal + 1
      else if (top + ties > left) {
        word |= 1 << (cell & 31)
        if (top > left) left = top
      }
      row[j] = left
      diagonal = top
      if ((cell & 31) === 31) {
        if (directions !== undefined) directions[cell >>> 5] = word
        word = 0
      }
      cell++
    }
  }
  if (directions !== undefined && (cell & 31) !== 0) directions[cell >>> 5] = word
  return row[width]
}

/** Only the length: no memory beyond a row. */
export const length = (first: string, second: string): number =>
  first.length < second.length ? fill(second, toBytes(first), 0, undefined) : fill(first, toBytes(second), 0, undefined)

/** The length and the stretches. Takes a bit of memory for every pair of bytes, so the caller bounds the lengths' product. */
export const find = (first: string, second: string): CommonSubsequence => {
  const swapped = first.length < second.length
  const outer = swapped ? second : first
  const inner = toBytes(swapped ? first : second)
  const directions = new Uint32Array(Math.ceil((outer.length * inner.length) / 32))
  // At a tie the walk shortens `second`, which is the outer string when swapped.
  const total = fill(outer, inner, swapped ? 1 : 0, directions)
  const matches: Array<Match> = []
  let i = outer.length
  let j = inner.length
  while (i > 0 && j > 0) {
    let run = 0
    while (run < i && run < j && outer.charCodeAt(i - 1 - run) === inner[j - 1 - run]) run++
    if (run > 0) {
      const a = { start: i - run, end: i - 1 }
      const b = { start: j - run, end: j - 1 }
      const [one, two] = swapped ? [b, a] : [a, b]
      matches.push({ firstStart: one.start, firstEnd: one.end, secondStart: two.start, secondEnd: two.end })
      i -= run
      j -= run
      continue
    }
    const cell = (i - 1) * inner.length + (j - 1)
    if ((directions[cell >>> 5] >>> (cell & 31)) & 1) i--
    else j--
  }
  return { length: total, matches }
}

/** The subsequence itself. */
export const subsequence = (first: string, { matches }: CommonSubsequence): string => {
  let bytes = ""
  for (let n = matches.length - 1; n >= 0; n--) bytes += first.slice(matches[n].firstStart, matches[n].firstEnd + 1)
  return bytes
}
