/**
 * The connection itself: who the client is, which protocol and database it uses, and how it ends.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { Acl } from "../../acl/Acl.ts"
import { upToNul } from "../../bytes/Bytes.ts"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import type { Client } from "../../command/Client.ts"
import { Clients } from "../../command/Clients.ts"
import * as Command from "../../command/Command.ts"
import { redisVersion, serverName } from "../../config/Version.ts"
import { type CommandError, SyntaxError, WrongArity } from "../../errors/CommandError.ts"
import { ClientError, HelloNoAuth, NoProtocol } from "../../errors/ConnectionErrors.ts"

const defaultUser = "default"

/** Gives a client its name: any printable bytes without spaces, none takes it away. */
export const nameClient = (client: Client, name: string): Either.Either<void, ClientError> => {
  if (/[^!-~]/.test(name)) return Either.left(ClientError.badName)
  client.name = name
  return Either.void
}

/** What an option of HELLO does. Those in front of one that fails have done theirs. */
type HelloOption = (client: Client, argv: ReadonlyArray<string>) => Either.Either<void, CommandError>

const ping = Command.make({
  name: "ping",
  summary: "Ping the server",
  since: "1.0.0",
  group: "connection",
  complexity: "O(1)",
  arity: -1,
  flags: "fast",
  acl: "connection",
  tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
  args: [Arg.string("message", { optional: true })],
  parse: (args) => (args.left > 1 ? args.fail(WrongArity.of("ping")) : args.peek()),
  run: (message, { client }) => {
    if (client.protocol === 2 && client.isSubscriber) {
      return Either.right(Reply.bulks(["pong", message ?? ""]))
    }
    return Either.right(message === undefined ? Reply.pong : Reply.bulk(message))
  },
})

const echo = Command.make({
  name: "echo",
  summary: "Echo the given string",
  since: "1.0.0",
  group: "connection",
  complexity: "O(1)",
  arity: 2,
  flags: "loading stale fast",
  acl: "connection",
  args: [Arg.string("message")],
  parse: (args) => args.next(),
  run: (message) => Either.right(Reply.bulk(message)),
})

const select = Command.make({
  name: "select",
  summary: "Change the selected database for the current connection",
  since: "1.0.0",
  group: "connection",
  complexity: "O(1)",
  arity: 2,
  flags: "loading stale fast",
  acl: "connection",
  args: [Arg.integer("index")],
  parse: (args) => args.int(),
  run: (index, { client, store }) => {
    const db = store.database(index)
    if (db === undefined) return Either.left(ClientError.noSuchDatabase)
    client.db = db
    return Either.right(Reply.ok)
  },
})

const quit = Command.make({
  name: "quit",
  summary: "Close the connection",
  since: "1.0.0",
  group: "connection",
  complexity: "O(1)",
  arity: -1,
  flags: "noscript loading stale fast no_auth allow_busy",
  acl: "connection",
  parse: () => undefined,
  run: (_, { client }) => {
    client.outbox.close("afterReplies")
    return Either.right(Reply.ok)
  },
})

const withServices = Effect.gen(function* () {
  const acl = yield* Acl
  const clients = yield* Clients

  const resetReply = Reply.simple("RESET")

  const reset = Command.make({
    name: "reset",
    summary: "Reset the connection",
    since: "6.2.0",
    group: "connection",
    complexity: "O(1)",
    arity: 1,
    flags: "noscript loading stale fast no_auth allow_busy",
    acl: "connection",
    parse: () => undefined,
    run: (_, { client, store }) => {
      // The answer ends it.
      if (client.replica !== undefined) return Either.right(resetReply)
      clients.forget(client)
      client.transaction = undefined
      client.monitor = false
      client.db = store.database(0)!
      client.protocol = 2
      client.name = ""
      // The answer to this very request stays left out; NO-EVICT outlives it in redis-server 7.0.
      if (client.replyMode !== "skip") client.replyMode = "on"
      client.noTouch = false
      acl.reset(client)
      return Either.right(resetReply)
    },
  })

  const auth = Command.make({
    name: "auth",
    summary: "Authenticate to the server",
    since: "1.0.0",
    group: "connection",
    complexity: "O(N) where N is the number of passwords defined for the user",
    history: [["6.0.0", "Added ACL style (username and password)."]],
    arity: -2,
    flags: "noscript loading stale fast no_auth allow_busy",
    acl: "connection",
    args: [Arg.string("username", { optional: true, since: "6.0.0" }), Arg.string("password")],
    parse: (args) => {
      if (args.left > 2) args.fail(SyntaxError.error)
      if (args.left === 2) return { user: args.next(), password: args.next() }
      if (acl.isOpen()) args.fail(ClientError.noPassword)
      return { user: defaultUser, password: args.next() }
    },
    run: ({ user, password }, { client, argv }) =>
      Either.map(acl.authenticate(client, argv, user, password), () => Reply.ok),
  })

  const helloOption = (args: Args): HelloOption => {
    if (args.optionWith("AUTH", 2)) {
      const user = args.next()
      const password = args.next()
      return (client, argv) => acl.authenticate(client, argv, user, password)
    }
    if (args.optionWith("SETNAME", 1)) {
      const name = args.owned()
      return (client) => nameClient(client, name)
    }
    const error = new ClientError(`Syntax error in HELLO option '${upToNul(args.rest()[0]!)}'`)
    return () => Either.left(error)
  }

  const hello = Command.make({
    name: "hello",
    summary: "Handshake with Redis",
    since: "6.0.0",
    group: "connection",
    complexity: "O(1)",
    history: [
      [
        "6.2.0",
        "`protover` made optional; when called without arguments the command reports the current connection's context.",
      ],
    ],
    arity: -1,
    flags: "noscript loading stale fast no_auth allow_busy",
    acl: "connection",
    args: [
      Arg.block(
        "arguments",
        [
          Arg.integer("protover"),
          Arg.block("username_password", [Arg.string("username"), Arg.string("password")], {
            token: "AUTH",
            optional: true,
          }),
          Arg.string("clientname", { token: "SETNAME", optional: true }),
        ],
        { optional: true },
      ),
    ],
    parse: (args) => {
      let version: number | undefined
      if (args.more) {
        version = args.int(ClientError.protocolNotInteger)
        if (version !== 2 && version !== 3) args.fail(NoProtocol.error)
      }
      const options: Array<HelloOption> = []
      while (args.more) options.push(helloOption(args))
      return { version, options }
    },
    run: ({ version, options }, { client, argv }) => {
      for (const option of options) {
        const done = option(client, argv)
        if (Either.isLeft(done)) return Either.left(done.left)
      }
      if (!client.authenticated && acl.authRequired()) return Either.left(HelloNoAuth.error)
      if (version !== undefined) client.protocol = version === 3 ? 3 : 2
      return Either.right(
        Reply.record({
          server: Reply.bulk(serverName),
          version: Reply.bulk(redisVersion),
          proto: Reply.int(client.protocol),
          id: Reply.int(client.id),
          mode: Reply.bulk("standalone"),
          role: Reply.bulk("master"),
          modules: Reply.emptyArray,
        }),
      )
    },
  })

  return [auth, hello, reset]
})

/** Commands about the connection, CLIENT apart. */
export const connectionCommands = Effect.map(withServices, (commands) => [ping, echo, select, quit, ...commands])
