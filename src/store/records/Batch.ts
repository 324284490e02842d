/**
 * Many short texts out of words: they are put one behind the other and become one string, of which each is cut. A call into Node for each
 * would cost 60 to 100 ns, and a cut costs 15.
 */
import { wordsFor } from "../bytes/KeyBytes.ts"

/** Longer texts are no worse off alone. */
export const textMax = 256
const textsMax = 64

const words = new Int32Array((textMax / 4) * textsMax)
const bytes = Buffer.from(words.buffer)
/** Where each text begins and ends, in bytes. */
const starts = new Int32Array(textsMax)
const ends = new Int32Array(textsMax)
let count = 0
/** The next word. */
let next = 0

export const begin = (): void => {
  count = next = 0
}

/** Adds `length` bytes, at most `textMax`, that begin at a word of `source`. What there was may be appended to `out`. */
export const add = (source: Int32Array, word: number, length: number, out: Array<string>): void => {
  if (count === textsMax) end(out)
  starts[count] = next << 2
  ends[count] = (next << 2) + length
  count++
  for (let i = word, last = word + wordsFor(length); i < last; i++) words[next++] = source[i]
}

/** Appends what was added to `out`. */
export const end = (out: Array<string>): void => {
  if (count > 0) {
    const text = bytes.latin1Slice(0, ends[count - 1])
    for (let i = 0; i < count; i++) out.push(text.substring(starts[i], ends[i]))
  }
  begin()
}
