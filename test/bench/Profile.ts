/**
 * Where the time goes: ours runs one test under V8's sampling profiler, and the functions that the samples fell into are
 * listed by their own time. The profile itself stays in the current directory for a viewer (Chrome's developer tools, VS
 * Code). Warming up is part of the profile, so use it to compare functions, not to time commands.
 */
import { copyFileSync, readdirSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { projectRoot, startOurs, temporaryDirectory, volatileSettings } from "./Children.ts"
import { type LoadTest, measure, prepare, type Shape } from "./Load.ts"
import { table } from "./Report.ts"

const functionsShown = 30
const requestsPerDepth = 300_000

interface CpuProfile {
  readonly nodes: ReadonlyArray<{
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  }>
  readonly samples: ReadonlyArray<number>
  readonly timeDeltas: ReadonlyArray<number>
}

const place = (url: string, line: number): string => {
  const short = url.replace(/^file:\/\//, "").replace(/^.*\/(dist|node_modules)\//, "$1/")
  return short === "" ? "" : `${short}:${line + 1}`
}

/** Own time in microseconds by function, largest first, without the time in which the process had nothing to do. */
const ownTimes = (profile: CpuProfile): ReadonlyArray<readonly [name: string, micros: number]> => {
  const names = new Map(
    profile.nodes.map(({ id, callFrame }) => [
      id,
      `${callFrame.functionName || "(anonymous)"}  ${place(callFrame.url, callFrame.lineNumber)}`.trim(),
    ]),
  )
  const sums = new Map<string, number>()
  profile.samples.forEach((id, i) => {
    const name = names.get(id) ?? "?"
    if (name !== "(idle)") sums.set(name, (sums.get(name) ?? 0) + profile.timeDeltas[i]!)
  })
  return [...sums].sort((a, b) => b[1] - a[1])
}

export const profile = async (
  options: Omit<Shape, "requests"> & { readonly main: string | undefined; readonly test: LoadTest },
): Promise<number> => {
  const directory = temporaryDirectory()
  const nodeFlags = ["--cpu-prof", "--cpu-prof-dir", directory]
  // Not the bundle: there the names of files are lost.
  const ours = await startOurs(options.main ?? join(projectRoot, "dist/main.js"), volatileSettings, { nodeFlags })
  const shape: Shape = { ...options, requests: requestsPerDepth * Math.min(options.pipeline, 8) }
  await prepare(ours, options.test, shape)
  const { requestsPerSecond, cpuMicros } = await measure(ours, options.test, shape)
  await ours.process.stop()
  const file = readdirSync(directory).find((name) => name.endsWith(".cpuprofile"))
  if (file === undefined) throw new Error("the server left no profile")
  const times = ownTimes(JSON.parse(readFileSync(join(directory, file), "utf8")))
  const total = times.reduce((sum, [, micros]) => sum + micros, 0)
  const lines = times
    .slice(0, functionsShown)
    .map(([name, micros]) => [name, ((100 * micros) / total).toFixed(1), (micros / 1000).toFixed(0)])
  console.log(table(["own time", "%", "ms"], lines))
  const kept = resolve(`${options.test.name.toLowerCase()}-p${options.pipeline}.cpuprofile`)
  copyFileSync(join(directory, file), kept)
  console.log(`\n${requestsPerSecond.toFixed(0)} commands a second, ${cpuMicros!.toFixed(2)} us each; ${kept}`)
  return 0
}
