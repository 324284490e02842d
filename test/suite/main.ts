/**
 * `npm run suite -- [UNIT...] --jobs N --short --server PROGRAM --verbose`: the Tcl tests that redis 7.0.15 has for itself, run
 * against this server (or PROGRAM, such as redis-server), all units or those named. `--fetch` only brings the tests here.
 *
 * A test that fails counts only when it fails again in a second run of its unit, since many of them wait for real time. Tests known
 * to differ (known.ts) are not run. Prints a line a unit; exit code 1 if any test failed.
 */
import { rmSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { differences, leftOutUnits, shortUnits } from "./known.ts"
import { fetchSources, layOut } from "./Sources.ts"
import { isTclInstalled, runUnit, type UnitResult, unitsOf } from "./Units.ts"

const { values, positionals } = parseArgs({
  args: process.argv.slice(2).filter((word) => !word.endsWith("main.ts") || word.startsWith("--")),
  options: {
    jobs: { type: "string", default: "2" },
    short: { type: "boolean", default: false },
    server: { type: "string" },
    fetch: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
  },
  allowPositionals: true,
})

/** A part of the ports for each run, so that two of them seldom meet. */
const firstPort = 11_000 + (process.pid % 90) * 200
const portsOfJob = 100
const limitMs = 600_000

if (!isTclInstalled) {
  console.log("tclsh is not installed: redis's tests are written in Tcl (apt-get install tcl)")
  process.exit(1)
}

const sources = await fetchSources()
if (values.fetch) process.exit(0)
const built = join(import.meta.dirname, "..", "..", "dist", "bin", "main.js")
const command =
  values.server === undefined
    ? [process.execPath, "--min-semi-space-size=4", "--max-semi-space-size=16", built]
    : [values.server]
const all = unitsOf(sources).filter((unit) => !leftOutUnits.has(unit))
const unknown = positionals.filter((unit) => !all.includes(unit))
if (unknown.length > 0) {
  console.log(`no such unit: ${unknown.join(", ")}; there are ${all.join(", ")}`)
  process.exit(1)
}
const waiting = positionals.length > 0 ? [...positionals] : values.short ? [...shortUnits] : [...all]

const skippedOf = (unit: string): ReadonlyArray<string> =>
  values.server === undefined ? differences.filter((known) => known.unit === unit).map(({ test }) => test) : []

const failuresOf = ({ outcomes, broken }: UnitResult): ReadonlyMap<string, string> => {
  const failures = outcomes.flatMap(({ test, failure }): Array<[string, string]> =>
    failure === undefined ? [] : [[test, failure]],
  )
  return new Map(broken === undefined ? failures : [...failures, ["the unit as a whole", broken]])
}

let passed = 0
let failed = 0
let known = 0

const runJob = async (job: number): Promise<void> => {
  for (;;) {
    const unit = waiting.shift()
    if (unit === undefined) return
    const home = layOut(sources, command)
    const skipped = skippedOf(unit)
    const began = performance.now()
    const run = () => runUnit({ unit, home, skipped, port: firstPort + job * portsOfJob, limitMs })
    const first = await run()
    let failures = failuresOf(first)
    if (failures.size > 0) {
      const second = failuresOf(await run())
      failures = new Map([...failures].filter(([test]) => second.has(test)))
    }
    rmSync(home, { recursive: true, force: true })
    const good = first.outcomes.filter(({ test }) => !failures.has(test)).length
    passed += good
    failed += failures.size
    known += skipped.length
    const seconds = ((performance.now() - began) / 1000).toFixed(0)
    const rest = skipped.length === 0 ? "" : `, ${skipped.length} known to differ`
    console.log(`${unit}: ${good} passed, ${failures.size} failed${rest} (${seconds} s)`)
    for (const [test, failure] of failures) {
      const shown = values.verbose ? failure : failure.split("\n").slice(0, 2).join("\n")
      console.log(`  ${test}\n    ${shown.replaceAll("\n", "\n    ")}`)
    }
  }
}

await Promise.all(Array.from({ length: Number(values.jobs) }, (_, job) => runJob(job)))
console.log(`${passed} passed, ${failed} failed, ${known} known to differ`)
process.exit(failed === 0 ? 0 : 1)
