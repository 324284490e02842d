/**
 * Text that waits to be taken from the front: joined as it comes, and never to one string that is longer than a string can be.
 *
 * The idea to hold: many small strings take more memory than one, so what comes is joined up to a MiB; what is longer stays as it is.
 */

/** What is joined, in chars. */
export const pieceChars = 1024 * 1024

export class Pieces {
  /** Chars that wait. */
  length = 0
  private pieces: Array<string> = []
  /** Pieces before this one have been taken. */
  private first = 0

  add(text: string): void {
    if (text === "") return
    const { pieces } = this
    const last = pieces.length - 1
    if (last >= this.first && pieces[last]!.length + text.length <= pieceChars) pieces[last] += text
    else pieces.push(text)
    this.length += text.length
  }

  /** Takes what is in front, at most `max` chars of it, though not all that there are; "" if nothing waits. */
  take(max: number): string {
    const { first, pieces } = this
    const piece = pieces[first]
    if (piece === undefined) return ""
    if (piece.length > max) {
      pieces[first] = piece.slice(max)
      this.length -= max
      return piece.slice(0, max)
    }
    this.length -= piece.length
    if (first + 1 === pieces.length) this.clear()
    else {
      pieces[first] = ""
      this.first++
    }
    return piece
  }

  /** What was taken waits again, in front. */
  putBack(text: string): void {
    if (text === "") return
    if (this.first > 0) this.pieces[--this.first] = text
    else this.pieces.unshift(text)
    this.length += text.length
  }

  clear(): void {
    this.pieces = []
    this.first = 0
    this.length = 0
  }
}
