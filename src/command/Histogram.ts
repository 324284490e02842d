/**
 * The distribution of a command's time, in buckets no wider than 1/128 of their value (two significant digits), as the
 * HdrHistogram of redis-server keeps it: INFO latencystats and LATENCY HISTOGRAM then print the same figures.
 */

/** 1 s: longer times count as this. */
const nanosMax = 1_000_000_000
const subBuckets = 128

const indexOf = (nanos: number): number => {
  if (nanos < 2 * subBuckets) return nanos
  const shift = 24 - Math.clz32(nanos)
  return (shift + 1) * subBuckets + (nanos >>> shift) - subBuckets
}

/** The largest value that falls into the same bucket. */
const highestOf = (index: number): number => {
  if (index < 2 * subBuckets) return index
  const shift = Math.floor(index / subBuckets) - 1
  return ((index % subBuckets) + subBuckets + 1) * 2 ** shift - 1
}

export class Histogram {
  readonly #counts = new Uint32Array(indexOf(nanosMax) + 1)
  #total = 0

  get total(): number {
    return this.#total
  }

  record(micros: number, count = 1): void {
    const nanos = micros < 0 ? 0 : Math.min(nanosMax, Math.trunc(micros * 1000))
    this.#counts[indexOf(nanos)]! += count
    this.#total += count
  }

  /** Microseconds that `percent` of the recorded times do not exceed. */
  percentile(percent: number): number {
    const wanted = Math.max(1, Math.ceil((percent / 100) * this.#total - 1e-9))
    let seen = 0
    for (let i = 0; i < this.#counts.length; i++) {
      seen += this.#counts[i]!
      if (seen >= wanted) return highestOf(i) / 1000
    }
    return 0
  }

  /** How many times did not exceed about 1, 2, 4, ... microseconds, as far as there are any. */
  cumulative(): ReadonlyArray<readonly [micros: number, count: number]> {
    const steps: Array<readonly [number, number]> = []
    let seen = 0
    let index = 0
    for (let limit = 1024; seen < this.#total; limit *= 2) {
      const highest = limit + limit / subBuckets - 1
      const before = seen
      for (; index < this.#counts.length && highestOf(index) <= highest; index++) seen += this.#counts[index]!
      if (seen > before) steps.push([Math.floor(highest / 1000), seen])
    }
    return steps
  }
}
