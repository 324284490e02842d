/**
 * The few numbers that summarise repeated measurements. Medians, because one disturbed run must not count; the smallest and
 * largest beside them, because a reader has to see how far runs lie apart; geometric means for ratios.
 */
export interface Spread {
  readonly median: number
  readonly least: number
  readonly most: number
}

export const spread = (values: ReadonlyArray<number>): Spread => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return {
    median: sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2,
    least: sorted[0]!,
    most: sorted[sorted.length - 1]!,
  }
}

export const median = (values: ReadonlyArray<number>): number => spread(values).median

export const geometricMean = (values: ReadonlyArray<number>): number =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)

/** The value below which the share `fraction` (0..1) of the values lies. */
export const percentile = (values: ReadonlyArray<number>, fraction: number): number => {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.min(sorted.length - 1, Math.ceil(fraction * sorted.length) - 1)] ?? Number.NaN
}

/** The exponent k of `cost = c * n^k` that fits the points best (least squares on logarithms). */
export const growthExponent = (points: ReadonlyArray<readonly [n: number, cost: number]>): number => {
  const xs = points.map(([n]) => Math.log(n))
  const ys = points.map(([, cost]) => Math.log(cost))
  const mean = (values: ReadonlyArray<number>): number => values.reduce((sum, value) => sum + value, 0) / values.length
  const [x, y] = [mean(xs), mean(ys)]
  const above = xs.reduce((sum, value, i) => sum + (value - x) * (ys[i]! - y), 0)
  return above / xs.reduce((sum, value) => sum + (value - x) ** 2, 0)
}
