/** A server in a process of its own, which can be killed. */
import { type ChildProcess, spawn } from "node:child_process"
import { connectTcp, freePort } from "../support/RealServer.ts"

export interface Child {
  readonly process: ChildProcess
  readonly port: number
  readonly output: () => string
}

const startLimitMs = 30_000

export const sleep = (ms: number) => new Promise<void>((done) => setTimeout(done, ms))

/** Starts `command`, which listens on `port`, and waits until it answers PING. */
export const startProcess = async (command: string, args: ReadonlyArray<string>, port: number): Promise<Child> => {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] })
  let output = ""
  child.stdout.on("data", (chunk) => (output += chunk))
  child.stderr.on("data", (chunk) => (output += chunk))
  const limit = performance.now() + startLimitMs
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the server did not start:\n${output}`)
    if (performance.now() > limit) throw new Error(`the server did not answer:\n${output}`)
    try {
      const client = await connectTcp(port)
      const reply = await client.run("PING")
      client.destroy()
      if (reply._tag === "Simple") return { process: child, port, output: () => output }
    } catch {
      // Not listening yet.
    }
    await sleep(5)
  }
}

/** The built server `main` with these settings, on a free port. */
export const startChild = async (main: string, settings: ReadonlyArray<string>): Promise<Child> => {
  const port = await freePort()
  return startProcess(process.execPath, [main, "--port", String(port), ...settings], port)
}

export const kill = (child: Child): Promise<void> =>
  new Promise((done) => {
    child.process.once("exit", () => done())
    child.process.kill("SIGKILL")
  })
