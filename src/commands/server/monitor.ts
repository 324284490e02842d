/**
 * MONITOR: every command as it goes by, to who asked for it.
 *
 * The idea to hold: while nobody monitors, no hook is taken and a command pays nothing.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { quote } from "../../bytes/Quoting.ts"
import { Clock } from "../../clock/Clock.ts"
import * as Reply from "../../codec/Reply.ts"
import type { Client } from "../../command/Client.ts"
import { Clients } from "../../command/Clients.ts"
import * as Command from "../../command/Command.ts"
import { Observers, type ObserversService } from "../../command/Observers.ts"
import { redact } from "../../command/Redaction.ts"
import type { Entry } from "../../command/Registry.ts"
import { InvalidArgument } from "../../errors/CommandError.ts"
import { listen } from "../../store/Events.ts"

const notInTransaction = new InvalidArgument("MONITOR isn't allowed for DENY BLOCKING client")

/** Not shown: what administers the server, and what asks not to be. */
const hidden = Command.Flag.admin | Command.Flag.skip_monitor

const line = (
  client: Client,
  { command }: Entry,
  argv: ReadonlyArray<string>,
  micros: number,
  inScript: boolean,
): string => {
  const source = inScript ? "lua" : client.unixSocket ? `unix:${client.address.replace(/:0$/, "")}` : client.address
  const seconds = Math.floor(micros / 1e6)
  const fraction = String(Math.floor(micros % 1e6)).padStart(6, "0")
  return `${seconds}.${fraction} [${client.db.index} ${source}] ${redact(command.name, argv).map(quote).join(" ")}`
}

/** MONITOR. */
export const monitorCommands = Effect.gen(function* () {
  const clients = yield* Clients
  const clock = yield* Clock
  const observers = yield* Observers
  const monitors = new Set<Client>()
  let stop: (() => void) | undefined

  const show = (client: Client, entry: Entry, argv: ReadonlyArray<string>) => {
    const message = Reply.simple(line(client, entry, argv, clock.nowMicros(), observers.scriptKeys !== undefined))
    for (const monitor of monitors) {
      // CLIENT REPLY holds back these lines like answers.
      if (monitor.replyMode !== "on") continue
      if (monitor !== client) monitor.outbox.push(message)
      // Its own requests are shown after the answers to them; QUIT has none.
      else if (!client.closing) monitor.afterReply.push(message)
    }
  }
  /** A script is shown before what it calls, everything else once it has run. */
  const isScript = ({ command }: Entry) =>
    command.group === "scripting" && (command.mask & Command.Flag.skip_monitor) !== 0
  const start = () => {
    const before: ObserversService["before"][number] = (client, entry, argv) => {
      if (isScript(entry)) show(client, entry, argv)
    }
    const after: ObserversService["after"][number] = (client, entry, argv) => {
      if ((entry.command.mask & hidden) === 0) show(client, entry, argv)
    }
    const ends = [listen(observers.before, before), listen(observers.after, after)]
    stop = () => ends.forEach((end) => end())
  }
  clients.onForget.push((client) => {
    client.monitor = false
    if (!monitors.delete(client) || monitors.size > 0) return
    stop?.()
    stop = undefined
  })

  const monitor = Command.make({
    name: "monitor",
    summary: "Listen for all requests received by the server in real time",
    since: "1.0.0",
    group: "server",
    arity: 1,
    flags: "admin noscript loading stale",
    parse: () => undefined,
    run: (_, { client, nested }) => {
      if (nested) return Either.left(notInTransaction)
      // Redis does not answer a second time.
      if (client.monitor) return Either.right(Reply.none)
      client.monitor = true
      monitors.add(client)
      if (stop === undefined) start()
      return Either.right(Reply.ok)
    },
  })

  return [monitor]
})
