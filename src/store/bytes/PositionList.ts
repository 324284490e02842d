/**
 * Addresses by position, 0..size-1 without holes. In pieces, so that growing never copies more than a small one.
 */
import { PageSource, release } from "./Pages.ts"

const pieceBits = 16
const pieceSize = 1 << pieceBits
const pieceMask = pieceSize - 1
const firstSize = 16

export class PositionList {
  size = 0
  private readonly pieces: Array<Int32Array> = []
  private readonly source = new PageSource((from, to) => (this.pieces[this.pieces.indexOf(from)] = to))

  at(position: number): number {
    return this.pieces[position >>> pieceBits][position & pieceMask]
  }

  set(position: number, address: number): void {
    this.pieces[position >>> pieceBits][position & pieceMask] = address
  }

  push(address: number): void {
    const position = this.size++
    const number = position >>> pieceBits
    if (number === this.pieces.length) this.pieces.push(this.source.take(number === 0 ? firstSize : pieceSize))
    else if ((position & pieceMask) === this.pieces[number].length) {
      const grown = this.source.take(this.pieces[number].length * 2)
      grown.set(this.pieces[number])
      this.pieces[number] = grown
    }
    this.pieces[number][position & pieceMask] = address
  }

  pop(): number {
    const position = --this.size
    const address = this.at(position)
    // One empty piece stays, or adding and removing one key at a border would take and give one each time.
    if ((position & pieceMask) === 0 && this.pieces.length > (position >>> pieceBits) + 1) release(this.pieces.pop()!)
    return address
  }

  get bytes(): number {
    return this.pieces.reduce((sum, piece) => sum + piece.byteLength, 0)
  }

  clear(): void {
    for (const piece of this.pieces.splice(0)) release(piece)
    this.size = 0
  }
}
