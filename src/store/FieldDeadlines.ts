/**
 * When fields of a hash go. A hash has one of these only while a field of it has a deadline.
 *
 * The idea to hold: the map is the truth; the heap beside it only finds the earliest deadline. An entry of the heap whose field
 * has another deadline by now, or none, is passed over, and when most entries are such the heap is built anew.
 */

/** A heap is not worth building anew before it has this many entries. */
const rebuildSizeMin = 32

export class FieldDeadlines {
  readonly #deadlines = new Map<string, number>()
  #times: Array<number> = []
  #fields: Array<string> = []
  /** No deadline is later. */
  latest = 0

  /** Fields that have a deadline. */
  get size(): number {
    return this.#deadlines.size
  }

  /** The earliest deadline; Infinity when there is none. */
  get next(): number {
    return this.#times.length === 0 ? Infinity : this.#times[0]
  }

  get(field: string): number | undefined {
    return this.#deadlines.get(field)
  }

  /** `field` must be flat. */
  set(field: string, atMs: number): void {
    if (this.#deadlines.get(field) === atMs) return
    this.#deadlines.set(field, atMs)
    if (atMs > this.latest) this.latest = atMs
    this.#push(field, atMs)
    if (this.#times.length > rebuildSizeMin && this.#times.length > 2 * this.#deadlines.size) this.#rebuild()
    else this.#settle()
  }

  delete(field: string): boolean {
    if (!this.#deadlines.delete(field)) return false
    this.#settle()
    return true
  }

  /**
   * Takes out the fields whose deadline is `now` or earlier, at most `max` of them, in order of their deadlines. `before` is told of each
   * before it goes.
   */
  takeDue(now: number, max: number, before: (field: string) => void): Array<string> {
    const due: Array<string> = []
    while (this.next <= now && due.length < max) {
      const field = this.#fields[0]
      before(field)
      due.push(field)
      this.#deadlines.delete(field)
      this.#settle()
    }
    return due
  }

  copy(): FieldDeadlines {
    const copy = new FieldDeadlines()
    for (const [field, atMs] of this.#deadlines) copy.#deadlines.set(field, atMs)
    copy.latest = this.latest
    copy.#rebuild()
    return copy
  }

  /** Takes entries away that are no longer true, until the first one is. */
  #settle(): void {
    while (this.#times.length > 0 && this.#deadlines.get(this.#fields[0]) !== this.#times[0]) this.#pop()
  }

  #rebuild(): void {
    this.#fields = [...this.#deadlines.keys()]
    this.#times = [...this.#deadlines.values()]
    for (let i = (this.#times.length >> 1) - 1; i >= 0; i--) this.#siftDown(i)
  }

  #push(field: string, time: number): void {
    let i = this.#times.length
    this.#times.push(time)
    this.#fields.push(field)
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (this.#times[parent] <= time) break
      this.#times[i] = this.#times[parent]
      this.#fields[i] = this.#fields[parent]
      i = parent
    }
    this.#times[i] = time
    this.#fields[i] = field
  }

  #pop(): void {
    const time = this.#times.pop()!
    const field = this.#fields.pop()!
    if (this.#times.length === 0) return
    this.#times[0] = time
    this.#fields[0] = field
    this.#siftDown(0)
  }

  #siftDown(start: number): void {
    const size = this.#times.length
    const time = this.#times[start]
    const field = this.#fields[start]
    let i = start
    for (;;) {
      let child = 2 * i + 1
      if (child >= size) break
      if (child + 1 < size && this.#times[child + 1] < this.#times[child]) child++
      if (this.#times[child] >= time) break
      this.#times[i] = this.#times[child]
      this.#fields[i] = this.#fields[child]
      i = child
    }
    this.#times[i] = time
    this.#fields[i] = field
  }
}
