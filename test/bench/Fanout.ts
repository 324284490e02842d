/**
 * `fanout`: messages to many subscribers. One publisher sends messages in a pipeline to a channel with a thousand subscribers;
 * measured is the server's CPU time per delivered message and the time until the last subscriber has the last message.
 */
import { connect, type Socket } from "node:net"
import { type Measurable, startOurs, startRedis } from "./Children.ts"
import { table } from "./Report.ts"
import { median } from "./Statistics.ts"

const rounds = 3
const channel = "news"
/** Messages on their way at once: enough to keep the server busy, few enough not to reach an output limit. */
const window = 100

const request = (...words: ReadonlyArray<string>): string =>
  `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`

const open = (server: Measurable): Promise<Socket> =>
  new Promise((done, failed) => {
    const socket = connect(server.port, server.host)
    socket.once("error", failed)
    socket.once("connect", () => done(socket))
  })

/** Subscribes and counts the bytes of messages; the first reply is the subscription's. */
const subscribe = async (server: Measurable, onBytes: (bytes: number) => void): Promise<Socket> => {
  const socket = await open(server)
  await new Promise<void>((done) => {
    socket.once("data", () => done())
    socket.write(request("SUBSCRIBE", channel))
  })
  socket.on("data", (chunk) => onBytes(chunk.length))
  return socket
}

const run = async (
  server: Measurable,
  subscribers: number,
  messages: number,
): Promise<{ cpuMicros: number; seconds: number }> => {
  const text = "x".repeat(32)
  const messageBytes = request("message", channel, text).length
  let received = 0
  let reached: (() => void) | undefined
  let target = 0
  const sockets = await Promise.all(
    Array.from({ length: subscribers }, () =>
      subscribe(server, (bytes) => {
        received += bytes
        if (received >= target) reached?.()
      }),
    ),
  )
  const publisher = await open(server)
  publisher.resume()
  const began = performance.now()
  const cpuBefore = server.process.cpuSeconds()
  for (let sent = 0; sent < messages; sent += window) {
    const count = Math.min(window, messages - sent)
    target = (sent + count) * subscribers * messageBytes
    const all = new Promise<void>((done) => (reached = done))
    publisher.write(request("PUBLISH", channel, text).repeat(count))
    await all
  }
  const cpu = server.process.cpuSeconds() - cpuBefore
  const seconds = (performance.now() - began) / 1000
  for (const socket of [publisher, ...sockets]) socket.destroy()
  return { cpuMicros: (cpu * 1e6) / (messages * subscribers), seconds }
}

export const measureFanout = async (options: {
  readonly main: string | undefined
  readonly subscribers: number
  readonly messages: number
}): Promise<number> => {
  const lines: Array<ReadonlyArray<string>> = []
  const cpu: Array<number> = []
  for (const begin of [() => startOurs(options.main), () => startRedis()]) {
    const server = await begin()
    const results: Array<{ cpuMicros: number; seconds: number }> = []
    for (let i = 0; i < rounds; i++) results.push(await run(server, options.subscribers, options.messages))
    await server.process.stop()
    const micros = median(results.map(({ cpuMicros }) => cpuMicros))
    cpu.push(micros)
    lines.push([server.name, micros.toFixed(2), median(results.map(({ seconds }) => seconds)).toFixed(1)])
  }
  console.log(table([`${options.messages} messages to ${options.subscribers}`, "CPU us a delivery", "seconds"], lines))
  console.log(`CPU ratio ${(cpu[0]! / cpu[1]!).toFixed(2)}`)
  return 0
}
