/**
 * Memory outside the heap: arrays of words, how they are taken from the system, and how they go back to it.
 *
 * The idea to hold: a typed array that is garbage is freed by the next full collection, which a process whose data lies outside the heap
 * rarely has reason to run, and an idle one never. So whoever no longer needs one says so: a posted array leaves its sender at once, and
 * what is posted to a port that is closed is freed on the spot. That takes 3 us and 30 more for each MiB, in which the system unmaps its
 * pages; so that nobody notices, no array is much larger than `tableMax`.
 */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { MessageChannel, type MessagePort } from "node:worker_threads"

/** Bytes of a large table: freed in half a millisecond. */
export const tableMax = 16 * 1024 * 1024
/** Less is left to the collector. */
const releasedMin = 16 * 1024
/**
 * Arrays from here on are made as the beginning of one of `mappedBytes`. What is not touched takes no memory, and of pieces that large the
 * system's allocator keeps none that is given back, nor clears one by hand before it gives it out (3 ms for 16 MiB); of smaller ones it
 * keeps twice as much as the largest that it has seen go, which would be up to 64 MiB.
 */
const mappedMin = 4 * 1024 * 1024
const mappedBytes = 32 * 1024 * 1024 + 64 * 1024

let spare = 0
/** Of arrays that nobody released. */
const spares = new FinalizationRegistry<number>((bytes) => {
  spare -= bytes
})

/** Bytes behind the arrays that are there: V8 counts them, but they take no memory. */
export const spareBytes = (): number => spare

/** Of an array that was taken, so many bytes more (or less, below 0) are not used. */
export const addSpare = (bytes: number): void => {
  spare += bytes
}

/** So many words, all zero. */
export const take = (length: number): Int32Array<ArrayBuffer> => {
  const bytes = length * 4
  if (bytes < mappedMin) return new Int32Array(length)
  const array = new Int32Array(new ArrayBuffer(mappedBytes), 0, length)
  spare += mappedBytes - bytes
  spares.register(array, mappedBytes - bytes, array)
  return array
}

let closedPort: MessagePort | undefined

const closed = (): MessagePort => {
  const { port1 } = new MessageChannel()
  port1.close()
  return port1
}

/** `array` and all views of its bytes are empty from now on. */
export const release = (array: Int32Array | Float64Array): void => {
  const { byteLength } = array
  if (byteLength < releasedMin) return
  if (byteLength >= mappedMin && spares.unregister(array)) spare -= mappedBytes - byteLength
  ;(closedPort ??= closed()).postMessage(undefined, [array.buffer as ArrayBuffer])
}

type Collect = (options?: { readonly type: "minor" }) => void

/** What `--expose-gc` would have given. Contexts that are made later get no such function. */
const collector = (): Collect => {
  if (globalThis.gc !== undefined) return globalThis.gc as Collect
  setFlagsFromString("--expose-gc")
  const collect: Collect = runInNewContext("gc")
  setFlagsFromString("--no-expose-gc")
  return collect
}

let collect: Collect | undefined

/** Collects the garbage of the young generation, which takes about a millisecond. */
export const collectYoung = (): void => (collect ??= collector())({ type: "minor" })

/** Collects garbage, which takes the longer the more data is in the heap. */
export const collectOnce = (): void => (collect ??= collector())()

/** Collects all garbage. */
export const collectAll = (): void => {
  collectOnce()
  // The pages that the first one emptied go with the second.
  collectOnce()
}
