/**
 * The sources of redis 7.0.15, of which the Tcl tests are used: fetched once, held by their checksum, and laid out so that the tests
 * start the program they are given where redis-server would lie.
 */
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const version = "7.0.15"
const address = `http://deb.debian.org/debian/pool/main/r/redis/redis_${version}.orig.tar.gz`
const checksum = "4b1dc4ee6d622a09fff9c6777191209750fb5e5a725ef78ea012d6eef4c22982"
const fetchLimitMs = 120_000

/** Where the sources stay from one run to the next. */
const cache = join(tmpdir(), `tiny-redis-suite-${version}`)

/** The folder of redis's sources, fetched unless an earlier run did. */
export const fetchSources = async (): Promise<string> => {
  if (existsSync(cache)) return cache
  const answer = await fetch(address, { signal: AbortSignal.timeout(fetchLimitMs) })
  if (!answer.ok) throw new Error(`${address}: ${answer.status} ${answer.statusText}`)
  const archive = Buffer.from(await answer.arrayBuffer())
  const found = createHash("sha256").update(archive).digest("hex")
  if (found !== checksum) throw new Error(`${address} has the checksum ${found} instead of ${checksum}`)
  const fresh = mkdtempSync(`${cache}-`)
  writeFileSync(join(fresh, "sources.tar.gz"), archive)
  execFileSync("tar", ["xzf", "sources.tar.gz", "--strip-components=1"], { cwd: fresh })
  rmSync(join(fresh, "sources.tar.gz"))
  renameSync(fresh, cache)
  return cache
}

/** Settings of the tests' own files that this server does not have; what they ask for is left out. */
const leftOut = ["enable-module-command", "propagation-error-behavior"]

const edit = (path: string, change: (text: string) => string): void =>
  writeFileSync(path, change(readFileSync(path, "latin1")), "latin1")

const shellQuote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`

/**
 * What the tests start. They look for the process in the log and take it for a server that listens, as redis-server does some
 * milliseconds later; here it is said when the port listens, or when there is no process any more. Without a settings file they wait for
 * the end of a start that is refused, and of all that writes to its output.
 */
const startScript = (command: ReadonlyArray<string>): string => `#!/bin/bash
port=$(sed -n 's/^\\(tls-\\)\\?port //p' "$1" 2>/dev/null | grep -v '^0$' | head -n 1)
entry=$(printf ':%04X 00000000:0000 0A' "\${port:-0}")
[ -f "$1" ] && (
  while kill -0 $$ 2>/dev/null && ! grep -q "$entry" /proc/net/tcp; do sleep 0.02; done
  echo " PID: $$"
) &
exec ${command.map(shellQuote).join(" ")} "$@"
`

/** A folder to run tests in: a copy of the tests, and `command` in the place of redis-server. */
export const layOut = (sources: string, command: ReadonlyArray<string>): string => {
  const home = mkdtempSync(join(tmpdir(), "tiny-redis-suite-run-"))
  for (const part of ["tests", "utils"]) cpSync(join(sources, part), join(home, part), { recursive: true })
  mkdirSync(join(home, "src"))
  const program = join(home, "src", "redis-server")
  writeFileSync(program, startScript(command))
  chmodSync(program, 0o755)
  for (const tool of ["redis-cli", "redis-benchmark", "redis-check-aof", "redis-check-rdb"]) {
    symlinkSync(join("/usr/bin", tool), join(home, "src", tool))
  }
  for (const file of ["default.conf", "minimal.conf"]) {
    const isKept = (line: string) => !leftOut.some((setting) => line.startsWith(`${setting} `))
    edit(join(home, "tests", "assets", file), (text) => text.split("\n").filter(isKept).join("\n"))
  }
  // So that a test which fails by an exception can be told by its name.
  edit(join(home, "tests", "test_helper.tcl"), (text) =>
    text.replace("{$status eq {testing}} {", '{$status eq {testing}} {\n        puts "\\[testing\\]: $data"'),
  )
  return home
}
