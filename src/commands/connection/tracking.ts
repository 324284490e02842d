/**
 * CLIENT TRACKING, CACHING and TRACKINGINFO: a client says how it wants to hear that keys it may have cached have changed.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import type { Client, Tracking as ClientTracking } from "../../command/Client.ts"
import { Clients } from "../../command/Clients.ts"
import * as Command from "../../command/Command.ts"
import { SyntaxError } from "../../errors/CommandError.ts"
import { TrackingError } from "../../errors/TrackingErrors.ts"
import { Tracking } from "../../pubsub/Tracking.ts"

interface Request {
  readonly on: boolean
  readonly mode: ClientTracking["mode"]
  readonly noLoop: boolean
  readonly redirect: number
  readonly prefixes: ReadonlyArray<string>
}

const overlap = (one: string, other: string): boolean => one.startsWith(other) || other.startsWith(one)

/** Why the wish does not fit what the client has now, if it does not. */
const conflictOf = ({ mode, prefixes }: Request, current: ClientTracking | undefined): TrackingError | undefined => {
  if (current !== undefined && (current.mode === "bcast") !== (mode === "bcast")) return TrackingError.switchesBcast
  const switches = current !== undefined && current.mode !== mode
  if (switches && current.mode !== "default" && mode !== "default") return TrackingError.switchesOption
  for (const [i, prefix] of prefixes.entries()) {
    const existing = current?.prefixes.find((other) => overlap(prefix, other))
    if (existing !== undefined) return TrackingError.overlapsExisting(prefix, existing)
    const provided = prefixes.slice(i + 1).find((other) => overlap(prefix, other))
    if (provided !== undefined) return TrackingError.overlapsProvided(prefix, provided)
  }
  return undefined
}

const flagsOf = ({ mode, noLoop, caching, brokenRedirect }: ClientTracking): ReadonlyArray<string> => [
  "on",
  ...(mode === "default" ? [] : [mode]),
  ...(caching === undefined ? [] : [caching ? "caching-yes" : "caching-no"]),
  ...(noLoop ? ["noloop"] : []),
  ...(brokenRedirect ? ["broken_redirect"] : []),
]

/** The subcommands of CLIENT about client-side caching. */
export const trackingSubcommands = Effect.gen(function* () {
  const clients = yield* Clients
  const tracking = yield* Tracking

  const enable = (client: Client, request: Request): TrackingError | undefined => {
    const current = client.tracking
    const conflict = conflictOf(request, current)
    if (conflict !== undefined) return conflict
    // BCAST without a prefix means every key, also to who has named some before.
    const given = request.mode === "bcast" && request.prefixes.length === 0 ? [""] : request.prefixes
    tracking.enable(client, {
      mode: request.mode,
      noLoop: request.noLoop,
      redirect: request.redirect,
      prefixes: [...new Set([...(current?.prefixes ?? []), ...given])],
      caching: undefined,
      brokenRedirect: false,
    })
    return undefined
  }

  const clientTracking = Command.make({
    name: "client|tracking",
    summary: "Enable or disable server assisted client side caching support",
    since: "6.0.0",
    group: "connection",
    complexity: "O(1). Some options may introduce additional complexity.",
    arity: -3,
    flags: "noscript loading stale",
    acl: "connection",
    args: [
      Arg.oneOf("status", [Arg.token("ON"), Arg.token("OFF")]),
      Arg.integer("client-id", { token: "REDIRECT", optional: true }),
      Arg.string("prefix", { token: "PREFIX", optional: true, multiple: true, multipleToken: true }),
      Arg.token("BCAST", { optional: true }),
      Arg.token("OPTIN", { optional: true }),
      Arg.token("OPTOUT", { optional: true }),
      Arg.token("NOLOOP", { optional: true }),
    ],
    parse: (args): Request => {
      const on = args.option("ON") || (args.option("OFF") ? false : args.fail(SyntaxError.error))
      let redirect = 0
      let bcast = false
      let optin = false
      let optout = false
      let noLoop = false
      const prefixes: Array<string> = []
      while (args.more) {
        if (args.optionWith("REDIRECT", 1)) {
          redirect = args.int()
          if (!clients.byId.has(redirect)) args.fail(TrackingError.noSuchRedirect)
        } else if (args.option("BCAST")) bcast = true
        else if (args.option("OPTIN")) optin = true
        else if (args.option("OPTOUT")) optout = true
        else if (args.option("NOLOOP")) noLoop = true
        else if (args.optionWith("PREFIX", 1)) prefixes.push(args.owned())
        else args.fail(SyntaxError.error)
      }
      if (on && !bcast && prefixes.length > 0) args.fail(TrackingError.prefixWithoutBcast)
      if (on && optin && optout) args.fail(TrackingError.bothOptions)
      if (on && bcast && (optin || optout)) args.fail(TrackingError.optionsWithBcast)
      const mode = bcast ? "bcast" : optin ? "optin" : optout ? "optout" : "default"
      return { on, mode, noLoop, redirect, prefixes }
    },
    run: (request, { client }) => {
      if (!request.on) {
        tracking.disable(client)
        return Either.right(Reply.ok)
      }
      const conflict = enable(client, request)
      return conflict === undefined ? Either.right(Reply.ok) : Either.left(conflict)
    },
  })

  const clientCaching = Command.make({
    name: "client|caching",
    summary: "Instruct the server about tracking or not keys in the next request",
    since: "6.0.0",
    group: "connection",
    complexity: "O(1)",
    arity: 3,
    flags: "noscript loading stale",
    acl: "connection",
    args: [Arg.oneOf("mode", [Arg.token("YES"), Arg.token("NO")])],
    parse: (args, { client }) => {
      if (client.tracking === undefined) args.fail(TrackingError.cachingWithoutMode)
      return args.option("YES") || (args.option("NO") ? false : args.fail(SyntaxError.error))
    },
    run: (yes, { client }) => {
      const mode = client.tracking!.mode
      if (yes && mode !== "optin") return Either.left(TrackingError.cachingYes)
      if (!yes && mode !== "optout") return Either.left(TrackingError.cachingNo)
      client.tracking!.caching = yes
      return Either.right(Reply.ok)
    },
  })

  const clientTrackinginfo = Command.make({
    name: "client|trackinginfo",
    summary: "Return information about server assisted client side caching for the current connection",
    since: "6.2.0",
    group: "connection",
    complexity: "O(1)",
    arity: 2,
    flags: "noscript loading stale",
    acl: "connection",
    parse: () => undefined,
    run: (_, { client }) => {
      const settings = client.tracking
      // The prefix that stands for every key is not shown as one.
      const prefixes = (settings?.prefixes ?? []).toSorted()
      return Either.right(
        Reply.record({
          flags: Reply.set((settings === undefined ? ["off"] : flagsOf(settings)).map(Reply.bulk)),
          redirect: Reply.int(settings === undefined ? -1 : settings.redirect),
          prefixes: Reply.bulks(prefixes),
        }),
      )
    },
  })

  return [clientTracking, clientCaching, clientTrackinginfo]
})
