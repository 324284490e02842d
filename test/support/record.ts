/**
 * Records transcripts: plays the requests of each file against the installed redis-server and writes its replies into the
 * file. `npm run record` does all of them, `npm run record -- strings` those whose name begins so. Files named
 * `*.additions.txt` hold what redis-server 7.0.15 lacks, written from the documentation and held against Redis 8.0.2, and are left alone.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as RealServer from "./RealServer.ts"
import { formatTranscript, parseTranscript, play } from "./Transcript.ts"

const folder = join(import.meta.dirname, "..", "transcripts")

export const record = async (prefixes: ReadonlyArray<string>): Promise<void> => {
  const names = readdirSync(folder).filter(
    (name) =>
      name.endsWith(".txt") &&
      !name.endsWith(".additions.txt") &&
      (prefixes.length === 0 || prefixes.some((prefix) => name.startsWith(prefix))),
  )
  for (const name of names) {
    const file = join(folder, name)
    const server = await RealServer.start()
    try {
      const steps = await play(parseTranscript(readFileSync(file, "utf8")), {
        connect: server.connect,
        advance: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      })
      writeFileSync(file, formatTranscript(steps))
      console.log(`recorded ${name}`)
    } finally {
      await server.stop()
    }
  }
}

await record(process.argv.slice(2).filter((word) => !word.includes("/")))
process.exit(0)
