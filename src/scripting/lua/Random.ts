/**
 * The random numbers that scripts see: the 48-bit linear congruential generator of drand48. It starts at the same state in every
 * server and goes on from script to script until one calls math.randomseed.
 */

const multiplier = 0x5deece66dn
const increment = 0xbn
const mask = (1n << 48n) - 1n
/** math.random divides by this, the largest signed 32-bit number. */
const range = 2147483647

export class Random {
  private state = 0x1234abcd330en

  /** Starts over as C's `srand48(seed)`. */
  seed(seed: number): void {
    this.state = (BigInt(seed >>> 0) << 16n) | 0x330en
  }

  /** Evenly distributed in [0, 1). */
  next(): number {
    this.state = (this.state * multiplier + increment) & mask
    return (Number(this.state >> 17n) % range) / range
  }
}
