/**
 * The members of a large sorted set with their scores, in no order: a `MemberTable`, and the scores by the same positions. About 75
 * bytes a member of 10 bytes (redis-server: about 100).
 */
import { MemberTable } from "./MemberTable.ts"

const segmentBits = 10
const segmentLength = 1 << segmentBits
const segmentMask = segmentLength - 1
const firstCapacity = 16

export class ScoreTable {
  readonly #members = new MemberTable()
  /** In pieces, so that no insertion moves all of them. */
  readonly #scores: Array<Float64Array> = []

  get size(): number {
    return this.#members.size
  }

  member(position: number): string {
    return this.#members.at(position)
  }

  score(position: number): number {
    return this.#scores[position >>> segmentBits][position & segmentMask]
  }

  setScore(position: number, score: number): void {
    this.#scores[position >>> segmentBits][position & segmentMask] = score
  }

  /** The position of `member`, or -1. */
  find(member: string): number {
    return this.#members.find(member)
  }

  /** Adds a copy of a member that is not there. Returns its position, which is the last. */
  append(member: string, score: number): number {
    const position = this.#members.append(member)
    const segment = position >>> segmentBits
    const offset = position & segmentMask
    if (offset === 0) this.#scores.push(new Float64Array(segment === 0 ? firstCapacity : segmentLength))
    let scores = this.#scores[segment]
    if (offset === scores.length) {
      const grown = new Float64Array(scores.length * 2)
      grown.set(scores)
      this.#scores[segment] = scores = grown
    }
    scores[offset] = score
    return position
  }

  /** Removes the member at `position`; the last member takes its place. */
  remove(position: number): void {
    this.#members.remove(position)
    const last = this.#members.size
    if (position !== last) this.setScore(position, this.score(last))
    if ((last & segmentMask) === 0) this.#scores.pop()
  }
}
