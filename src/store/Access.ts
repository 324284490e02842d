/**
 * What the store remembers of a key's use, in 24 bits as Redis does: under an LFU policy the minute of the last decay and a
 * logarithmic counter, otherwise the second of the last use.
 */

const secondsMask = 0xffffff

export const isLfu = (policy: string): boolean => policy.endsWith("-lfu")

/** The stamp of a key used at `now` (Unix ms), for LRU. */
export const lruStamp = (now: number): number => Math.floor(now / 1000) & secondsMask

/** Seconds since the use a stamp tells of; the 24 bits wrap after 194 days. */
export const idleSeconds = (stamp: number, now: number): number => (lruStamp(now) - stamp) & secondsMask

const minutesMask = 0xffff
const counterMax = 255
/** New keys begin here, so that they are not the first to go. */
const counterInitial = 5

const minuteOf = (now: number): number => Math.floor(now / 60_000) & minutesMask

/** The counter of a stamp, decayed by one for every `decayMinutes` without use (0: never). */
export const frequency = (stamp: number, now: number, decayMinutes: number): number => {
  const counter = stamp & counterMax
  if (decayMinutes === 0) return counter
  const elapsed = (minuteOf(now) - (stamp >>> 8)) & minutesMask
  return Math.max(0, counter - Math.floor(elapsed / decayMinutes))
}

/** The stamp of a new key, for LFU. */
export const lfuFirstStamp = (now: number): number => (minuteOf(now) << 8) | counterInitial

/** The stamp of a key that comes with its counter, as from a snapshot or RESTORE, for LFU. */
export const lfuStampOf = (counter: number, now: number): number => (minuteOf(now) << 8) | counter

/** The stamp of a key used once more: the counter grows with a chance that falls as it grows. `chance` is in [0, 1). */
export const lfuStamp = (old: number, now: number, decayMinutes: number, logFactor: number, chance: number): number => {
  const counter = frequency(old, now, decayMinutes)
  const base = Math.max(0, counter - counterInitial)
  const grown = counter < counterMax && chance < 1 / (base * logFactor + 1) ? counter + 1 : counter
  return (minuteOf(now) << 8) | grown
}
