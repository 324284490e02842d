/**
 * How long users wait for a reply while the server is half busy: GET and SET, four to one, of random keys among five million,
 * at a rate that is half of what ours can serve, and at the same rate from redis-server (budget: p99 and p99.9 at most twice).
 * Full load says little about waiting: everything queues then.
 *
 * Commands leave on a timetable, one after the other on each of fifty connections, and a wait counts from the moment its
 * command was due, whether or not the replies before it have come. This process spins instead of sleeping, so it is late by
 * microseconds; what it adds by itself (sending, reading, its own collector) is what the floor shows. Runs alternate between
 * the servers, which hold their keys all the time; the figures are medians over the runs.
 */
import { connect, type Socket } from "node:net"
import { type Measurable, type Server, startFloor, startOurs, startRedis, volatileSettings } from "./Children.ts"
import { Client, fill, request } from "./Client.ts"
import { digits, measure, testsNamed } from "./Load.ts"
import { table } from "./Report.ts"
import { collectionsLine } from "./Stall.ts"
import { median, percentile } from "./Statistics.ts"

const connections = 50
const getsPerSet = 4
const ratioMax = 2
const warmUpSeconds = 2

const keyOf = (index: number): string => `key:${digits(index)}`
const valueOf = (index: number): string => digits(index).padStart(32, "v")

/** A connection and the replies it waits for, in order. */
class Line {
  private readonly socket: Socket
  private readonly onReply: (dueMs: number) => void
  private readonly due: Array<number> = []
  private readonly lengths: Array<number> = []
  private first = 0
  /** Bytes received of the reply that is first. */
  private received = 0

  constructor(socket: Socket, onReply: (dueMs: number) => void) {
    this.socket = socket
    this.onReply = onReply
    socket.setNoDelay(true)
    socket.on("data", (chunk) => this.receive(chunk.length))
  }

  static open(server: Server, onReply: (dueMs: number) => void): Promise<Line> {
    return new Promise((done, failed) => {
      const socket = connect(server.port, server.host)
      socket.once("error", failed)
      socket.once("connect", () => done(new Line(socket, onReply)))
    })
  }

  send(bytes: string, replyLength: number, dueMs: number): void {
    this.due.push(dueMs)
    this.lengths.push(replyLength)
    this.socket.write(bytes, "latin1")
  }

  get isIdle(): boolean {
    return this.first === this.due.length
  }

  close(): void {
    this.socket.destroy()
  }

  private receive(bytes: number): void {
    this.received += bytes
    while (this.first < this.due.length && this.received >= this.lengths[this.first]!) {
      this.received -= this.lengths[this.first]!
      this.onReply(this.due[this.first++]!)
    }
    if (!this.isIdle) return
    if (this.received > 0) throw new Error("a reply is longer than expected")
    this.due.length = this.lengths.length = this.first = 0
  }
}

/** The waits in milliseconds of `seconds` at `perSecond`, without those of the first two seconds. */
const waits = async (server: Server, keys: number, perSecond: number, seconds: number): Promise<Float64Array> => {
  const measured = new Float64Array(Math.ceil(perSecond * (seconds + 1)))
  let count = 0
  let countsFrom = Infinity
  const lines: Array<Line> = []
  for (let i = 0; i < connections; i++) {
    lines.push(
      await Line.open(server, (dueMs) => {
        if (dueMs >= countsFrom && count < measured.length) measured[count++] = performance.now() - dueMs
      }),
    )
  }
  const began = performance.now()
  countsFrom = began + warmUpSeconds * 1000
  const endsAt = countsFrom + seconds * 1000
  const echoes = server.name === "floor"
  const getReply = 5 + valueOf(0).length + 2
  let random = 1
  for (let sent = 0; ;) {
    const now = performance.now()
    if (now > endsAt) break
    for (let due; (due = began + (sent * 1000) / perSecond) <= now; sent++) {
      random = (Math.imul(random, 1664525) + 1013904223) >>> 0
      const index = Math.floor((random / 2 ** 32) * keys)
      const isSet = sent % (getsPerSet + 1) === 0
      const bytes = request(isSet ? ["SET", keyOf(index), valueOf(index)] : ["GET", keyOf(index)])
      lines[sent % connections]!.send(bytes, echoes ? bytes.length : isSet ? 5 : getReply, due)
    }
    await new Promise((done) => setImmediate(done))
  }
  for (let left = 5000; left > 0 && !lines.every((line) => line.isIdle); left--) {
    await new Promise((done) => setTimeout(done, 1))
  }
  for (const line of lines) line.close()
  return measured.subarray(0, count)
}

const fractions = [0.5, 0.99, 0.999, 1]

export const measureLatency = async (options: {
  readonly main: string | undefined
  readonly nodeFlags: ReadonlyArray<string>
  readonly keys: number
  readonly rounds: number
  readonly seconds: number
  /** Commands a second; half of what ours serves when missing. */
  readonly rate: number | undefined
}): Promise<number> => {
  const nodeFlags = ["--trace-gc", ...options.nodeFlags]
  const ours = await startOurs(options.main, volatileSettings, { nodeFlags })
  const redis = await startRedis()
  const floor = await startFloor()
  for (const server of [ours, redis]) {
    const client = await Client.connect(server)
    await fill(client, options.keys, (index) => ["SET", keyOf(index), valueOf(index)])
    client.close()
  }
  const most = async (): Promise<number> => {
    const [get] = testsNamed(["GET"])
    const shape = { clients: connections, pipeline: 1, requests: 150_000, sizeBytes: 3, keys: options.keys }
    const runs: Array<number> = []
    for (let run = 0; run < 3; run++) runs.push((await measure(ours, get!, shape)).requestsPerSecond)
    return median(runs)
  }
  const rate = options.rate ?? Math.round((await most()) / 2)

  const servers: ReadonlyArray<Measurable> = [ours, redis, floor]
  const runs = new Map<Measurable, Array<ReadonlyArray<number>>>(servers.map((server) => [server, []]))
  let collections = ""
  for (let round = 0; round < options.rounds; round++) {
    for (const server of round % 2 === 0 ? servers : [...servers].reverse()) {
      const before = server.process.output().length
      const waited = [...(await waits(server, options.keys, rate, options.seconds))]
      runs.get(server)!.push(fractions.map((fraction) => percentile(waited, fraction)))
      if (server === ours) collections += server.process.output().slice(before)
    }
  }
  await Promise.all(servers.map((server) => server.process.stop()))

  const medians = (server: Measurable): ReadonlyArray<number> =>
    fractions.map((_, i) => median(runs.get(server)!.map((run) => run[i]!)))
  const lines = servers.map((server) => [
    server.name,
    ...medians(server).map((milliseconds) => milliseconds.toFixed(2)),
  ])
  const ratios = medians(ours).map((milliseconds, i) => milliseconds / medians(redis)[i]!)
  lines.push(["ours / redis", ...ratios.map((ratio) => ratio.toFixed(2))])
  console.log(`${options.keys} keys, ${rate} commands a second (${options.rounds} runs of ${options.seconds} s each)`)
  console.log(`${table(["ms", "p50", "p99", "p99.9", "longest"], lines)}\n${collectionsLine(collections)}`)
  return ratios[1]! <= ratioMax && ratios[2]! <= ratioMax ? 0 : 1
}
