/**
 * From a key to a number >= 0, as a `Map` in which names may come and go.
 *
 * The idea to hold: a `Map` of V8 marks a deleted entry and leaves it in the chain of its bucket until the whole table is made anew. One
 * name that is set and deleted over and over, as a lock is, makes a chain of up to half the size of the table: 5 ms a command at a million
 * keys. So a removed key stays for a while, as a negative number, and comes back to the same entry. The last `lingeringMax` ones stay,
 * and what goes for good is spread over more names than that, so over as many chains.
 */

const lingeringMax = 1024

export class LastingMap {
  #entries = new Map<string, number>()
  /** Removed keys, by slot; the entry of a removed key is -1 less its slot. */
  #lingering: Array<string | undefined> = []
  /** Slots whose key has come back. */
  #free: Array<number> = []
  /** The slot that gives way next. */
  #oldest = 0
  #removed = 0

  get size(): number {
    return this.#entries.size - this.#removed
  }

  /** The number of `key`; absent when there is none. */
  get(key: string): number | undefined {
    const entry = this.#entries.get(key)
    return entry === undefined || entry < 0 ? undefined : entry
  }

  has(key: string): boolean {
    return this.get(key) !== undefined
  }

  set(key: string, value: number): void {
    if (this.#removed > 0) {
      const entry = this.#entries.get(key)
      if (entry !== undefined && entry < 0) {
        const slot = -1 - entry
        this.#lingering[slot] = undefined
        this.#free.push(slot)
        this.#removed--
      }
    }
    this.#entries.set(key, value)
  }

  delete(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined || entry < 0) return
    const slot = this.#slot()
    this.#lingering[slot] = key
    this.#entries.set(key, -1 - slot)
    this.#removed++
  }

  /** The keys, in no order. */
  *keys(): IterableIterator<string> {
    for (const [key, entry] of this.#entries) if (entry >= 0) yield key
  }

  clear(): void {
    this.#entries.clear()
    this.#lingering = []
    this.#free = []
    this.#oldest = 0
    this.#removed = 0
  }

  /** A slot for one more removed key; the one removed longest ago goes when all are taken. */
  #slot(): number {
    const free = this.#free.pop()
    if (free !== undefined) return free
    if (this.#lingering.length < lingeringMax) return this.#lingering.push(undefined) - 1
    const slot = this.#oldest
    this.#oldest = (slot + 1) % lingeringMax
    this.#entries.delete(this.#lingering[slot]!)
    this.#removed--
    return slot
  }
}
