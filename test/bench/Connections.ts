/**
 * Costs that do not depend on commands. `connections`: what ten thousand connections of which a hundred are active do to
 * the CPU time of a command (budget: 1.3 times that with a hundred connections alone), and what an idle one takes of memory
 * (25 KiB). `blocked`: the CPU time of a server in which five thousand clients wait in BLPOP, half of them with a timeout, and nothing
 * happens. `start`: the CPU time from the start of the process to its first PONG, with no data (300 ms).
 */
import { connect, type Socket } from "node:net"
import { type Measurable, sleep, startOurs, startRedis, volatileSettings } from "./Children.ts"
import { Client, infoNumber, request } from "./Client.ts"
import { measure, prepare, type Shape, testsNamed } from "./Load.ts"
import { table } from "./Report.ts"
import { median, spread } from "./Statistics.ts"

const active = 100
const rounds = 3
const cpuRatioMax = 1.3
const idleBytesMax = 25 * 1024
/** How long nothing happens, and how much more CPU time blocked clients may cost in that. */
const idleSeconds = 10
const blockedMsMax = 20
const settleMs = 2000
const startSecondsMax = 0.3

const openOne = (server: Measurable): Promise<Socket> =>
  new Promise((done, failed) => {
    const socket = connect(server.port, server.host)
    socket.once("error", failed)
    socket.once("connect", () => done(socket))
  })

const openIdle = async (server: Measurable, count: number): Promise<ReadonlyArray<Socket>> => {
  const sockets: Array<Socket> = []
  while (sockets.length < count) {
    const length = Math.min(200, count - sockets.length)
    sockets.push(...(await Promise.all(Array.from({ length }, () => openOne(server)))))
  }
  return sockets
}

export const measureConnections = async (options: {
  readonly main: string | undefined
  readonly connections: number
}): Promise<number> => {
  const [test] = testsNamed(["get"])
  const shape: Shape = { clients: active, pipeline: 1, requests: 60_000, sizeBytes: 3, keys: 10_000 }
  const settings = [...volatileSettings, "--maxclients", String(options.connections + 1000)]
  const lines: Array<ReadonlyArray<string>> = []
  let withinBudget = true
  for (const begin of [() => startOurs(options.main, settings), () => startRedis(settings)]) {
    const server = await begin()
    await prepare(server, test!, shape)
    const cpuMicros = async (): Promise<number> => {
      await measure(server, test!, { ...shape, requests: shape.requests / 4 })
      const runs: Array<number> = []
      for (let i = 0; i < rounds; i++) runs.push((await measure(server, test!, shape)).cpuMicros!)
      return median(runs)
    }
    const alone = await cpuMicros()
    const residentBefore = server.process.residentBytes()
    const idle = options.connections - active
    const sockets = await openIdle(server, idle)
    await sleep(1000)
    const idleBytes = (server.process.residentBytes() - residentBefore) / idle
    const among = await cpuMicros()
    for (const socket of sockets) socket.destroy()
    await server.process.stop()
    if (server.name === "ours" && !(among / alone <= cpuRatioMax && idleBytes <= idleBytesMax)) withinBudget = false
    lines.push([
      server.name,
      alone.toFixed(2),
      among.toFixed(2),
      (among / alone).toFixed(2),
      (idleBytes / 1024).toFixed(1),
    ])
  }
  const head = ["", `us a command, ${active} alone`, `among ${options.connections}`, "ratio", "KiB an idle connection"]
  console.log(table(head, lines))
  return withinBudget ? 0 : 1
}

/** Ms of CPU time that `server` takes in `idleSeconds` in which nobody asks for anything. */
const idleMs = async (server: Measurable): Promise<number> => {
  const before = server.process.cpuSeconds()
  await sleep(idleSeconds * 1000)
  return (server.process.cpuSeconds() - before) * 1000
}

export const measureBlocked = async (options: {
  readonly main: string | undefined
  readonly clients: number
}): Promise<number> => {
  const settings = [...volatileSettings, "--maxclients", String(options.clients + 1000)]
  const lines: Array<ReadonlyArray<string>> = []
  let withinBudget = true
  for (const begin of [() => startOurs(options.main, settings), () => startRedis(settings)]) {
    const server = await begin()
    const asking = await Client.connect(server)
    await sleep(settleMs)
    const alone = await idleMs(server)
    const sockets = await openIdle(server, options.clients)
    sockets.forEach((socket, i) => socket.write(request(["BLPOP", `key:${i % 100}`, i % 2 === 0 ? "0" : "1000"])))
    while (infoNumber(await asking.call("INFO", "clients"), "blocked_clients") !== options.clients) await sleep(50)
    await sleep(settleMs)
    const among = await idleMs(server)
    for (const socket of sockets) socket.destroy()
    asking.close()
    await server.process.stop()
    if (server.name === "ours" && !(among <= alone + blockedMsMax)) withinBudget = false
    lines.push([server.name, alone.toFixed(1), among.toFixed(1)])
  }
  console.log(table([`ms of CPU in ${idleSeconds} s`, "nobody", `${options.clients} blocked`], lines))
  return withinBudget ? 0 : 1
}

export const measureStart = async (options: {
  readonly main: string | undefined
  readonly rounds: number
}): Promise<number> => {
  const cpu = { ours: [] as Array<number>, redis: [] as Array<number> }
  const wall = { ours: [] as Array<number>, redis: [] as Array<number> }
  for (let round = 0; round < options.rounds; round++) {
    for (const begin of [() => startOurs(options.main), () => startRedis()]) {
      const began = performance.now()
      const server = await begin()
      const name = server.name === "ours" ? "ours" : "redis"
      cpu[name].push(server.process.cpuSeconds())
      wall[name].push((performance.now() - began) / 1000)
      await server.process.stop()
    }
  }
  const line = (name: "ours" | "redis"): ReadonlyArray<string> => {
    const { median: middle, least, most } = spread(cpu[name])
    const milliseconds = [middle, least, most, median(wall[name])].map((seconds) => (seconds * 1000).toFixed(0))
    return [name, ...milliseconds]
  }
  console.log(table(["ms to the first PONG", "CPU", "least", "most", "wall"], [line("ours"), line("redis")]))
  return median(cpu.ours) <= startSecondsMax ? 0 : 1
}
