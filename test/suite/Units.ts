/** Runs one unit of redis's tests in a process of its own, and reads what became of each of its tests. */
import { spawn, spawnSync } from "node:child_process"
import { readdirSync, readFileSync, readlinkSync } from "node:fs"
import { join } from "node:path"

export interface Outcome {
  readonly test: string
  /** What the test said when it failed. */
  readonly failure: string | undefined
}

export interface UnitResult {
  readonly outcomes: ReadonlyArray<Outcome>
  /** Why the unit did not come to its end. */
  readonly broken: string | undefined
  readonly output: string
}

export interface UnitOptions {
  readonly unit: string
  /** The folder laid out for the tests; no two units may run in it at once. */
  readonly home: string
  /** Tests that are not run. */
  readonly skipped: ReadonlyArray<string>
  /** The first of some hundred ports for its servers. */
  readonly port: number
  readonly limitMs: number
}

export const isTclInstalled = spawnSync("tclsh", [], { input: "puts 1" }).status === 0

/** The units in the order in which redis runs them. */
export const unitsOf = (sources: string): ReadonlyArray<string> => {
  const text = readFileSync(join(sources, "tests", "test_helper.tcl"), "latin1")
  return (/set ::all_tests \{([^}]*)\}/.exec(text)?.[1] ?? "").split(/\s+/).filter((word) => word !== "")
}

/** What the tests print, as outcomes: each line begins with a status in brackets, other lines belong to the one before. */
export const readOutcomes = (output: string): ReadonlyArray<Outcome> => {
  const outcomes: Array<Outcome> = []
  let test: string | undefined
  let failure: Array<string> | undefined
  const close = () => {
    if (failure !== undefined) outcomes.push({ test: test ?? "outside of a test", failure: failure.join("\n") })
    failure = undefined
  }
  for (const line of output.split("\n")) {
    const [, status, text = ""] = /^\[(\w+)\]: (.*)$/.exec(line) ?? []
    if (status === undefined) {
      if (line.startsWith("[") || line.startsWith("Cleanup")) close()
      else failure?.push(line)
      continue
    }
    close()
    if (status === "testing") test = text
    else if (status === "err") failure = [text.replace(/ in tests\/\S+\.tcl$/, "")]
    else if (status === "ok") outcomes.push({ test: test ?? text, failure: undefined })
  }
  close()
  return outcomes
}

/** Ends the servers that a unit cut off has left behind: those that were started in its folder. */
const endServers = (home: string): void => {
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry)
    if (!Number.isInteger(pid) || pid === process.pid) continue
    try {
      if (readlinkSync(`/proc/${pid}/cwd`).startsWith(home)) process.kill(pid, "SIGKILL")
    } catch {
      // Gone meanwhile, or not ours.
    }
  }
}

const plain = (text: string): string => text.replaceAll(/\u001b\[[0-9;]*m/g, "")

export const runUnit = ({ unit, home, skipped, port, limitMs }: UnitOptions): Promise<UnitResult> =>
  new Promise((done) => {
    const options = ["--single", unit, "--clients", "1", "--durable", "--baseport", String(port), "--portcount", "64"]
    const skips = skipped.flatMap((test) => ["--skiptest", test])
    const child = spawn("tclsh", ["tests/test_helper.tcl", ...options, ...skips], { cwd: home })
    let output = ""
    child.stdout.on("data", (chunk) => (output += chunk))
    child.stderr.on("data", (chunk) => (output += chunk))
    let isLate = false
    const limit = setTimeout(() => {
      isLate = true
      child.kill("SIGKILL")
    }, limitMs)
    child.once("close", () => {
      clearTimeout(limit)
      endServers(home)
      const text = plain(output)
      const cut = text.includes("[exception]") ? "a test that fails has ended it" : undefined
      const broken = isLate ? `not within ${limitMs / 1000} seconds` : (cut ?? ended(text))
      done({ outcomes: readOutcomes(text), broken, output: text })
    })
  })

const ended = (text: string): string | undefined =>
  /done\]: /.test(text) ? undefined : "it ended before its tests were over"
