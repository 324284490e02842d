/**
 * How measurements are shown and kept: a table for people, a JSON file for programs, and what changed between two files.
 * A file holds the machine, the versions and the command line that made it, since a figure without them says nothing.
 */
import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { cpus, totalmem } from "node:os"
import type { Row } from "./Speed.ts"
import { geometricMean, type Spread } from "./Statistics.ts"

export interface Recorded {
  readonly when: string
  readonly machine: string
  readonly versions: Readonly<Record<string, string>>
  readonly command: string
  readonly rows: ReadonlyArray<Row>
}

const versionOf = (program: string): string =>
  /v=([\d.]+)/.exec(String(spawnSync(program, ["--version"]).stdout))?.[1] ?? "none"

export const surroundings = (): Omit<Recorded, "rows"> => ({
  when: new Date().toISOString(),
  machine: `${cpus().length} x ${cpus()[0]?.model ?? "unknown processor"}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
  versions: { node: process.version, "redis-server": versionOf("redis-server") },
  command: `npm run bench -- ${process.argv.slice(2).join(" ")}`.trim(),
})

export const write = (file: string, rows: ReadonlyArray<Row>): void =>
  writeFileSync(file, `${JSON.stringify({ ...surroundings(), rows } satisfies Recorded, undefined, 2)}\n`)

export const read = (file: string): Recorded => JSON.parse(readFileSync(file, "utf8"))

/** Columns as wide as their widest cell; the first is words, the others are numbers. */
export const table = (head: ReadonlyArray<string>, lines: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = head.map((title, column) => Math.max(title.length, ...lines.map((line) => line[column]?.length ?? 0)))
  const show = (line: ReadonlyArray<string>): string =>
    line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  ")
  return [show(head), widths.map((width) => "-".repeat(width)).join("  "), ...lines.map(show)].join("\n")
}

const thousands = (value: number): string => (value / 1000).toFixed(value < 100_000 ? 1 : 0)
const withSpread = ({ median, least, most }: Spread): string =>
  `${median.toFixed(2)} (${least.toFixed(2)}-${most.toFixed(2)})`

const speedLine = (row: Row): ReadonlyArray<string> => {
  const names = ["ours", "redis", "floor"] as const
  const latency = (name: string): string => {
    const figures = row.servers[name]!
    return [figures.p50Ms, figures.p99Ms, figures.p999Ms].map((ms) => ms.toFixed(2)).join("/")
  }
  return [
    row.test,
    String(row.pipeline),
    ...names.map((name) => thousands(row.servers[name]!.requestsPerSecond.median)),
    withSpread(row.throughputRatio),
    ...names.map((name) => row.servers[name]!.cpuMicros?.median.toFixed(2) ?? "-"),
    withSpread(row.cpuRatio),
    latency("ours"),
    latency("redis"),
  ]
}

const speedHead = [
  "test",
  "P",
  "ours k/s",
  "redis",
  "floor",
  "ratio",
  "ours us",
  "redis",
  "floor",
  "CPU ratio",
  "ours p50/p99/p99.9 ms",
  "redis",
]

/** The whole default report: the table, servers added by hand, and the means that the budgets speak of. */
export const speedReport = (rows: ReadonlyArray<Row>): string => {
  const added = [...new Set(rows.flatMap((row) => Object.keys(row.servers)))].filter(
    (name) => !["ours", "redis", "floor"].includes(name),
  )
  const others = added.map((name) => {
    const line = (row: Row): ReadonlyArray<string> => {
      const { requestsPerSecond, p50Ms, p99Ms } = row.servers[name]!
      return [row.test, String(row.pipeline), thousands(requestsPerSecond.median), p50Ms.toFixed(2), p99Ms.toFixed(2)]
    }
    return `\n${name}\n${table(["test", "P", "k/s", "p50 ms", "p99 ms"], rows.map(line))}`
  })
  return [table(speedHead, rows.map(speedLine)), ...others, "", ...means(rows)].join("\n")
}

const worst = (rows: ReadonlyArray<Row>, badness: (row: Row) => number): Row =>
  rows.reduce((a, b) => (badness(a) >= badness(b) ? a : b))

const named = (row: Row): string => `${row.test} P${row.pipeline}`

export const cpuRatioAt = (rows: ReadonlyArray<Row>, pipeline: number): number =>
  geometricMean(rows.filter((row) => row.pipeline === pipeline).map((row) => row.cpuRatio.median))

export const pipelinesOf = (rows: ReadonlyArray<Row>): ReadonlyArray<number> => [
  ...new Set(rows.map((row) => row.pipeline)),
]

const means = (rows: ReadonlyArray<Row>): ReadonlyArray<string> => {
  const slowest = worst(rows, (row) => -row.throughputRatio.median)
  const dearest = worst(rows, (row) => row.cpuRatio.median)
  const atDepths = pipelinesOf(rows).map((pipeline) => `P${pipeline} ${cpuRatioAt(rows, pipeline).toFixed(2)}`)
  const throughput = geometricMean(rows.map((row) => row.throughputRatio.median))
  return [
    `CPU per command against redis-server, geometric mean: ${atDepths.join(", ")}; ` +
      `worst ${dearest.cpuRatio.median.toFixed(2)} (${named(dearest)})`,
    `throughput against redis-server, geometric mean: ${throughput.toFixed(2)}; ` +
      `worst ${slowest.throughputRatio.median.toFixed(2)} (${named(slowest)})`,
  ]
}

/** What changed from one recording to another: ratios against redis-server, so the machines may differ. */
export const comparison = (before: Recorded, rows: ReadonlyArray<Row>): string => {
  const lines = rows.flatMap((row) => {
    const old = before.rows.find((other) => other.test === row.test && other.pipeline === row.pipeline)
    if (old === undefined) return []
    const apart = (a: Spread, b: Spread): boolean => a.least > b.most || b.least > a.most
    const change = (a: Spread, b: Spread): string =>
      `${(100 * (b.median / a.median - 1)).toFixed(0)}%${apart(a, b) ? "" : " ?"}`
    return [
      [
        named(row),
        old.cpuRatio.median.toFixed(2),
        row.cpuRatio.median.toFixed(2),
        change(old.cpuRatio, row.cpuRatio),
        old.throughputRatio.median.toFixed(2),
        row.throughputRatio.median.toFixed(2),
        change(old.throughputRatio, row.throughputRatio),
      ],
    ]
  })
  const head = ["test", "CPU before", "now", "change", "throughput before", "now", "change"]
  return `against ${before.when} (${before.machine})\n${table(head, lines)}\n? the spreads of the two overlap`
}
