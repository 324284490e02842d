/** The graph of LATENCY GRAPH: samples as columns of text, four rows high, each with its age below. */

const rows = 4
/** A column's top, from low to high within a row; below it the column is filled with bars. */
const tops = ["_", "o", "#"]

const age = (seconds: number): string =>
  seconds < 60
    ? `${seconds}s`
    : seconds < 3600
      ? `${Math.floor(seconds / 60)}m`
      : seconds < 86400
        ? `${Math.floor(seconds / 3600)}h`
        : `${Math.floor(seconds / 86400)}d`

export const sparkline = (
  event: string,
  samples: ReadonlyArray<{ readonly atSeconds: number; readonly ms: number }>,
  max: number,
  nowSeconds: number,
): string => {
  const times = samples.map(({ ms }) => ms)
  const low = Math.min(...times)
  const high = Math.max(...times)
  const steps = rows * tops.length
  const levels = times.map((ms) =>
    high === low ? 0 : Math.min(steps - 1, Math.floor(((ms - low) * steps) / (high - low))),
  )
  const labels = samples.map(({ atSeconds }) => age(nowSeconds - atSeconds))
  const lines = Array.from({ length: rows }, (_, row) => {
    const bottom = (rows - row - 1) * tops.length
    return levels.map((level) => (level < bottom ? " " : (tops[level - bottom] ?? "|"))).join("")
  })
  const labelRows = Array.from({ length: Math.max(...labels.map((label) => label.length)) }, (_, row) =>
    labels.map((label) => label[row] ?? " ").join(""),
  )
  const heading = `${event} - high ${high} ms, low ${low} ms (all time high ${max} ms)\n${"-".repeat(80)}\n`
  return `${heading}${[...lines, " ".repeat(samples.length), ...labelRows].join("\n")}\n`
}
