/** `npm run crash -- --rounds N --seed N --main FILE`: kills a server under load N times and checks what it kept. */
import { join } from "node:path"
import { parseArgs } from "node:util"
import { runRounds } from "./Rounds.ts"

const { values } = parseArgs({
  args: process.argv.slice(2).filter((word) => !word.endsWith("main.ts") || word.startsWith("--")),
  options: {
    rounds: { type: "string", default: "20" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 1_000_000)) },
    main: { type: "string", default: join(import.meta.dirname, "..", "..", "dist", "bin", "main.js") },
  },
  allowPositionals: true,
})

const passed = await runRounds({
  rounds: Number(values.rounds),
  seed: Number(values.seed),
  main: values.main,
  report: (line) => console.log(line),
})
console.log(`${passed} rounds passed, seed ${values.seed}`)
process.exit(0)
