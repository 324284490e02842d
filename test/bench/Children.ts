/**
 * The processes that are measured, and what the operating system says about them. Every server is a child of this process,
 * listens on 127.0.0.1 on a port that was free a moment before, keeps its files in a temporary directory, and is ended when
 * its measurement is over or, at the latest, when this process ends. Nothing else on the machine is touched.
 *
 * CPU time is the sum of `/proc/PID/task/.../schedstat` over all threads (nanoseconds; the collector's threads count), or
 * `utime + stime` of `/proc/PID/stat` where the kernel has no schedstat (10 ms steps). Where there are two processors and
 * `taskset`, servers run on the first and everything that asks on the second, so that they do not take turns.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { availableParallelism, tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { Client } from "./Client.ts"

export const projectRoot = resolve(dirname(fileURLToPath(import.meta.url)), "../..")

/** A server under measurement. One that was already running elsewhere has no process to look at. */
export interface Server {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly process: Process | undefined
}

/** A server that is a child of this process. */
export type Measurable = Server & { readonly process: Process }

export interface Process {
  readonly pid: number
  /** Where the server keeps its files; removed when it ends. */
  readonly directory: string
  readonly cpuSeconds: () => number
  readonly residentBytes: () => number
  /** How long its main thread had something to do and no processor to do it on, as far as the kernel says. */
  readonly delayedMs: () => number
  /** What it has written to standard output so far. */
  readonly output: () => string
  /** Asks it to end, and insists after five seconds. */
  readonly stop: () => Promise<void>
}

export const hasPrograms = (...names: ReadonlyArray<string>): boolean =>
  names.every((name) => spawnSync("which", [name]).status === 0)

const pinned = availableParallelism() > 1 && hasPrograms("taskset")

/** The command line that runs `command` on one processor: 0 for servers, 1 for clients. */
export const onProcessor = (processor: 0 | 1, command: ReadonlyArray<string>): ReadonlyArray<string> =>
  pinned ? ["taskset", "-c", String(processor), ...command] : command

/** Moves this process, which also asks now and then, to the clients' processor. */
export const pinSelf = (): void => {
  if (pinned) spawnSync("taskset", ["-a", "-cp", "1", String(process.pid)])
}

const running = new Set<ChildProcess>()
const directories = new Set<string>()

export const temporaryDirectory = (): string => {
  const directory = mkdtempSync(join(tmpdir(), "tiny-redis-bench-"))
  directories.add(directory)
  return directory
}

process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL")
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1))

const freePort = (): Promise<number> =>
  new Promise((done, failed) => {
    const probe = createServer()
    probe.once("error", failed)
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address()
      probe.close(() => done(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

const threadNanoseconds = (pid: number): number | undefined => {
  let sum = 0
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const file = `/proc/${pid}/task/${thread}/schedstat`
    if (!existsSync(file)) return undefined
    sum += Number(readFileSync(file, "utf8").split(" ")[0])
  }
  return sum
}

const clockTicks = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ")
  return Number(fields[11]) + Number(fields[12])
}

const cpuSecondsOf = (pid: number): number => {
  const nanoseconds = threadNanoseconds(pid)
  return nanoseconds === undefined ? clockTicks(pid) / 100 : nanoseconds / 1e9
}

/** See `Process.delayedMs`; of this process when `pid` is "self". */
export const delayedMsOf = (pid: number | "self"): number => {
  const file = pid === "self" ? `/proc/self/schedstat` : `/proc/${pid}/task/${pid}/schedstat`
  return existsSync(file) ? Number(readFileSync(file, "utf8").split(" ")[1]) / 1e6 : 0
}

const residentBytesOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024

export const sleep = (milliseconds: number): Promise<void> => new Promise((done) => setTimeout(done, milliseconds))

/** Reading the certificates that this variable names costs each start of node 30 ms, whatever it then does. */
const { NODE_EXTRA_CA_CERTS: _, ...ownEnvironment } = process.env

export interface StartOptions {
  /** The program and its arguments, given the port and the directory. */
  readonly command: (port: number, directory: string) => ReadonlyArray<string>
  /** How the server shows that it is up: by PONG, or (an echo) by accepting. */
  readonly ready?: "pong" | "accept"
  /** A directory to start from, kept afterwards. */
  readonly directory?: string
  /** How often it is asked until it answers. */
  readonly askEveryMs?: number
}

/** Starts a server and waits, at most a minute, until it answers. */
export const start = async (name: string, options: StartOptions): Promise<Measurable> => {
  const port = await freePort()
  const directory = options.directory ?? temporaryDirectory()
  const [program, ...args] = onProcessor(0, options.command(port, directory))
  const child = spawn(program!, args, { cwd: directory, env: ownEnvironment, stdio: ["ignore", "pipe", "pipe"] })
  running.add(child)
  let output = ""
  child.stdout.on("data", (chunk) => (output += chunk))
  child.stderr.on("data", (chunk) => (output += chunk))
  child.once("exit", () => running.delete(child))
  const pid = child.pid!
  const process: Process = {
    pid,
    directory,
    cpuSeconds: () => cpuSecondsOf(pid),
    residentBytes: () => residentBytesOf(pid),
    delayedMs: () => delayedMsOf(pid),
    output: () => output,
    stop: async () => {
      await end(child)
      if (options.directory === undefined) rmSync(directory, { recursive: true, force: true })
    },
  }
  const server = { name, host: "127.0.0.1", port, process }
  const deadline = performance.now() + 60_000
  while (!(await answers(server, options.ready ?? "pong"))) {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}:\n${output}`)
    if (performance.now() > deadline) throw new Error(`${name} did not answer within a minute:\n${output}`)
    await sleep(options.askEveryMs ?? 2)
  }
  return server
}

const answers = async (server: Server, ready: "pong" | "accept"): Promise<boolean> => {
  try {
    const client = await Client.connect(server)
    const pong = ready === "accept" || (await client.call("PING")) === "+PONG\r\n"
    client.close()
    return pong
  } catch {
    return false
  }
}

const end = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((done) => child.once("exit", done))
  child.kill("SIGTERM")
  const insist = setTimeout(() => child.kill("SIGKILL"), 5000)
  await ended
  clearTimeout(insist)
}

/** The flags that `npm start` gives to node, so that what is measured is what is run. */
const startFlags = (): ReadonlyArray<string> => {
  const manifest = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8"))
  return String(manifest.scripts.start)
    .split(" ")
    .filter((word) => word.startsWith("--"))
}

/** Settings that keep the disk out of a measurement of the processor. */
export const volatileSettings = ["--save", "", "--appendonly", "no"]

/** Our server as `npm start` runs it, or another build of it (`main`), or another program that takes redis-server's flags. */
export const startOurs = (
  main: string | undefined,
  settings: ReadonlyArray<string> = volatileSettings,
  more: {
    readonly nodeFlags?: ReadonlyArray<string>
    readonly directory?: string
    readonly askEveryMs?: number
  } = {},
): Promise<Measurable> => {
  const file = resolve(main ?? join(projectRoot, "dist/bin/main.js"))
  const program = file.endsWith(".js")
    ? [process.execPath, ...startFlags(), ...(more.nodeFlags ?? []), file]
    : [main ?? file]
  return start("ours", {
    command: (port, directory) => [...program, "--port", String(port), "--dir", directory, ...settings],
    ...(more.directory === undefined ? {} : { directory: more.directory }),
    ...(more.askEveryMs === undefined ? {} : { askEveryMs: more.askEveryMs }),
  })
}

export const startRedis = (
  settings: ReadonlyArray<string> = volatileSettings,
  directory?: string,
  askEveryMs?: number,
): Promise<Measurable> =>
  start("redis", {
    command: (port, dir) => ["redis-server", "--port", String(port), "--dir", dir, ...settings],
    ...(directory === undefined ? {} : { directory }),
    ...(askEveryMs === undefined ? {} : { askEveryMs }),
  })

/**
 * The floor: `node:net` alone, sending back what it receives. A request is also a well-formed reply (an array of bulk
 * strings), so redis-benchmark takes it for one; no server written for node can be cheaper than this.
 */
export const startFloor = (): Promise<Measurable> =>
  start("floor", {
    command: (port) => [
      process.execPath,
      "-e",
      `require("node:net").createServer({ noDelay: true }, (socket) => {
        // An inline PING is no reply: it is answered as one would be.
        const isPing = (chunk) => chunk.subarray(0, 6).equals(Buffer.from("PING\\r\\n"))
        const answer = (chunk) => (isPing(chunk) ? "+PONG\\r\\n".repeat(chunk.length / 6) : chunk)
        socket.on("data", (chunk) => socket.write(answer(chunk)))
        socket.on("error", () => {})
      }).listen(${port}, "127.0.0.1")`,
    ],
    ready: "accept",
  })
