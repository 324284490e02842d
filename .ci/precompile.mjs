/**
 * `node FLAGS .ci/precompile.mjs MAIN OUTPUT`: starts the server that MAIN launches, has it answer a few commands, and writes what V8 has
 * compiled of it until then to OUTPUT. The flags must be those of `npm start`: V8 takes compiled code only under the flags that made it.
 */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { pathToFileURL } from "node:url"

const [main, output] = process.argv.splice(2, 2).map((path) => resolve(path))
const folder = mkdtempSync(join(tmpdir(), "tiny-redis-precompile-"))
const socket = join(folder, "socket")
process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
process.argv.push(
  "--port",
  "0",
  "--unixsocket",
  socket,
  "--dir",
  folder,
  "--save",
  "",
  "--logfile",
  join(folder, "log"),
)

const { script } = await import(pathToFileURL(main).href)

const commands = ["SET a b", "GET a", "PING"]

const ask = (triesLeft) => {
  const client = connect(socket, () => client.write(commands.map((command) => `${command}\r\n`).join("")))
  let answer = ""
  client.on("error", (error) => {
    if (triesLeft === 0) throw error
    setTimeout(ask, 10, triesLeft - 1)
  })
  client.on("data", (chunk) => {
    answer += chunk
    if (!answer.endsWith("+PONG\r\n")) return
    const whole = `${output}.${process.pid}`
    writeFileSync(whole, script.createCachedData())
    renameSync(whole, output)
    process.exit(0)
  })
}
ask(1000)
