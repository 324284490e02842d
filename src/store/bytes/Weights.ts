/**
 * What store/Memory.ts remembers of each key's size, by position, and the sum. Takes no memory until the first key is weighed, which only
 * happens when there is a limit. In pieces, like the positions.
 */
const pieceBits = 15
const pieceMask = (1 << pieceBits) - 1

export class Weights {
  total = 0
  private pieces: Array<Float64Array> = []

  set(position: number, bytes: number): void {
    const number = position >>> pieceBits
    while (this.pieces.length <= number) this.pieces.push(new Float64Array(pieceMask + 1))
    const piece = this.pieces[number]
    this.total += bytes - piece[position & pieceMask]
    piece[position & pieceMask] = bytes
  }

  /** The weight at `to` goes, the one at `from`, the last position, takes its place. */
  fillHole(to: number, from: number): void {
    if (this.pieces.length === 0) return
    this.total -= this.at(to)
    const last = this.at(from)
    if (this.at(to) !== last) this.pieces[to >>> pieceBits][to & pieceMask] = last
    if (last !== 0) this.pieces[from >>> pieceBits][from & pieceMask] = 0
  }

  clear(): void {
    this.pieces = []
    this.total = 0
  }

  /** Keys added since the last one was weighed may have no piece yet. */
  private at(position: number): number {
    const piece = this.pieces[position >>> pieceBits]
    return piece === undefined ? 0 : piece[position & pieceMask]
  }
}
