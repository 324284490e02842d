/**
 * Who may do what: the users of a server, how a connection becomes one of them, and what is refused.
 *
 * The idea to hold: a connection carries its user, and `client.user.isUnrestricted` is all that a command costs where nobody
 * is restricted. Changing a user changes the object that its connections carry, so the next command already meets it.
 * The invariant: `default` is always there, and is whom a connection acts for until it says otherwise. `requirepass` is its
 * password.
 */
import { resolve } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { compare, flat, fromUtf8 } from "../bytes/Bytes.ts"
import { Clock } from "../clock/Clock.ts"
import type { Client } from "../command/Client.ts"
import { describe } from "../command/ClientLine.ts"
import { Clients } from "../command/Clients.ts"
import type { Command } from "../command/Command.ts"
import { type Denial, type Identity, unrestricted } from "../command/Identity.ts"
import type { RegistryService } from "../command/Registry.ts"
import { Config } from "../config/Config.ts"
import { AclError } from "../errors/AclErrors.ts"
import { InvalidUsers } from "../errors/ConfigErrors.ts"
import { WrongPassword } from "../errors/ConnectionErrors.ts"
import * as Disk from "../persistence/disk/Disk.ts"
import * as FileSystem from "../persistence/disk/FileSystem.ts"
import * as AclFile from "./AclFile.ts"
import { AclLog, type LogEntry, type Refused } from "./AclLog.ts"
import { type CommandTable, hasSpaces } from "./Selector.ts"
import { mergeSelectors, User } from "./User.ts"

export interface AclService {
  /** Makes the users of the settings file or the ACL file. */
  readonly start: (commands: CommandTable) => Effect.Effect<void, InvalidUsers>
  /** Reads the ACL file: its users are the users from then on, and connections of others than `default` end. */
  readonly load: (running: Client, commands: CommandTable) => Effect.Effect<void, AclError>
  readonly save: (commands: CommandTable) => Effect.Effect<void, AclError>
  /** Whom new connections act for. */
  readonly defaultUser: Identity
  /** Whether connections must say who they are before they are served. */
  readonly authRequired: () => boolean
  /** Whether anybody who reaches the server may come in without a password. */
  readonly isOpen: () => boolean
  /** Makes the client act for a user. `argv` is the request that asks for it. */
  readonly authenticate: (
    client: Client,
    argv: ReadonlyArray<string>,
    name: string,
    password: string,
  ) => Either.Either<void, WrongPassword>
  /** Back to `default`, as a new connection. */
  readonly reset: (client: Client) => void
  /** Why a request may not run; it is remembered for ACL LOG. Asked only where the client's user is restricted. */
  readonly refusal: (
    client: Client,
    command: Command,
    argv: ReadonlyArray<string>,
    context: Refused["context"],
  ) => Denial | undefined
  /** Sorted by name. */
  readonly users: () => ReadonlyArray<User>
  readonly find: (name: string) => User | undefined
  /** Changes or makes a user by rules: all of them, or none. */
  readonly set: (
    running: Client,
    name: string,
    rules: ReadonlyArray<string>,
    commands: CommandTable,
  ) => Either.Either<void, AclError>
  /** Removes users and ends their connections; answers how many there were. */
  readonly remove: (running: Client, names: ReadonlyArray<string>) => Either.Either<number, AclError>
  readonly log: { readonly entries: (count: number) => ReadonlyArray<LogEntry>; readonly clear: () => void }
}

export class Acl extends Context.Tag("tiny-redis/Acl")<Acl, AclService>() {
  static readonly layer = Layer.effect(
    this,
    Effect.suspend(() => make),
  )

  /** For programs that are alone with their server: everybody may do everything, and no password is asked, whatever `requirepass` says. */
  static readonly layerAllowAll = Layer.sync(this, (): AclService => ({
    start: () => Effect.void,
    load: () => Effect.fail(AclError.noFile),
    save: () => Effect.fail(AclError.noFile),
    defaultUser: unrestricted,
    authRequired: () => false,
    isOpen: () => true,
    authenticate: (client, _argv, name) => {
      if (name !== unrestricted.name) return Either.left(WrongPassword.error)
      client.authenticated = true
      return Either.void
    },
    reset: (client) => {
      client.authenticated = true
    },
    refusal: () => undefined,
    users: () => [],
    find: () => undefined,
    set: () => Either.left(AclError.onlyDefault),
    remove: () => Either.left(AclError.onlyDefault),
    log: new AclLog(),
  }))
}

/** The commands of a server, as rules name them. */
export const tableOf = (registry: RegistryService): CommandTable => ({
  commands: registry.entries.map(({ command }) => command),
  find: (name) => registry.findOwn(name.toLowerCase())?.command,
})

/** Needed by no rule that the default user begins with. */
const noCommands: CommandTable = { commands: [], find: () => undefined }

const defaultRules = ["on", "nopass", "~*", "+@all"]

const bothDeclared =
  "there are user lines in the settings file and an aclfile, but one of them only can say who may do what"

const make = Effect.gen(function* () {
  const clients = yield* Clients
  const clock = yield* Clock
  const config = yield* Config
  const files = Option.getOrUndefined(yield* Effect.serviceOption(FileSystem.FileSystem))
  const disk = files === undefined ? undefined : Disk.make(files)
  const log = new AclLog()

  const allChannels = () => config.current.aclPubsubDefault === "allchannels"
  const defaultUser = new User("default", true)
  for (const rule of defaultRules) defaultUser.apply(rule, noCommands, true)
  const users = new Map<string, User>([[defaultUser.name, defaultUser]])

  const setPassword = (password: string) => {
    const rules = password === "" ? ["nopass"] : ["resetpass", `>${password}`]
    for (const rule of rules) defaultUser.apply(rule, noCommands, true)
  }
  setPassword(config.current.requirepass)
  config.onChange(["requirepass"], ({ requirepass }) => setPassword(requirepass))

  const isOpen = () => defaultUser.needsNoPassword
  const authRequired = () => !defaultUser.needsNoPassword || !defaultUser.enabled

  const note = (client: Client, argv: ReadonlyArray<string>, refused: Refused) => {
    const now = clock.now()
    log.add(refused, describe(client, { client, argv, now }), now, config.current.acllogMaxLen)
  }

  /** It loses its user. The caller's own connection ends once it has its answer. */
  const end = (client: Client, running: Client) => {
    client.user = defaultUser
    client.authenticated = false
    if (client === running) client.outbox.close("afterReplies")
    else {
      client.outbox.close("now")
      clients.remove(client)
    }
  }

  /** Ends the connections whose subscriptions a user with `after`'s rights would not get. */
  const endSubscribers = (running: Client, user: User, after: User) => {
    if (after.selectors.some((selector) => selector.allChannels)) return
    const upcoming = after.selectors
    const known = new Set(upcoming.flatMap(({ channels }) => channels))
    const loses = user.selectors.some(
      (selector) => selector.allChannels || selector.channels.some((channel) => !known.has(channel)),
    )
    if (!loses) return
    const hears = (channel: string, isPattern: boolean) =>
      upcoming.some((selector) => selector.hears(channel, isPattern))
    for (const client of [...clients.byId.values()]) {
      if (client.user !== user) continue
      const { channels, patterns, shardChannels } = client
      const keeps =
        [...channels, ...shardChannels].every((name) => hears(name, false)) &&
        [...patterns].every((name) => hears(name, true))
      if (!keeps) end(client, running)
    }
  }

  /** As one that is made new. */
  const makeDefault = (): User => {
    const user = new User(defaultUser.name, true)
    for (const rule of defaultRules) user.apply(rule, noCommands, true)
    return user
  }

  const path = () => (config.current.aclfile === "" ? undefined : resolve(config.current.dir, config.current.aclfile))

  /** The users of the file, or why there are none. */
  const readFile = (commands: CommandTable): Effect.Effect<ReadonlyMap<string, User>, AclError> => {
    const file = path()
    if (file === undefined || disk === undefined) return Effect.fail(AclError.noFile)
    const shown = fromUtf8(config.current.aclfile)
    const opening = (reason: string) => AclError.notLoaded(`Error loading ACLs, opening file '${shown}': ${reason}`)
    return disk.readAll(file).pipe(
      Effect.mapError(({ reason }) => opening(reason)),
      Effect.flatMap((bytes) => {
        if (bytes === undefined) return Effect.fail(opening("No such file or directory"))
        const found = AclFile.read(bytes.latin1Slice(), shown, commands, allChannels())
        return found.reasons === "" ? Effect.succeed(found.users) : Effect.fail(AclError.notLoaded(found.reasons))
      }),
    )
  }

  /** The users are those of the file; `default` stays the object that connections carry. */
  const replaceBy = (found: ReadonlyMap<string, User>) => {
    defaultUser.become(found.get(defaultUser.name) ?? makeDefault())
    users.clear()
    for (const [name, user] of found) users.set(name, user)
    users.set(defaultUser.name, defaultUser)
  }

  /** The users that the settings file declares. */
  const declare = (commands: CommandTable): Effect.Effect<void, InvalidUsers> => {
    for (const { name, rules: words, origin } of config.users) {
      const fail = (reason: string) => Effect.fail(new InvalidUsers({ reason: `${reason} (${origin})` }))
      if (hasSpaces(name)) return fail("Spaces not allowed in ACL usernames")
      const { rules, unmatched } = mergeSelectors(words)
      if (unmatched !== undefined) return fail(`Unmatched parenthesis in selector definition of user '${name}'`)
      const user = name === defaultUser.name ? defaultUser : new User(name, allChannels())
      for (const rule of user === defaultUser ? ["reset", ...rules] : rules) {
        const reason = user.apply(rule, commands, allChannels())
        if (reason !== undefined)
          return fail(`Error loading ACL rule '${rule}' for the user named '${name}': ${reason}`)
      }
      users.set(name, user)
    }
    return Effect.void
  }

  const describeAll = (commands: CommandTable): ReadonlyArray<string> =>
    service.users().map((user) => `${user.name} ${user.describe(commands)}`)

  const service: AclService = {
    start: (commands) => {
      // Users of a file are not the settings file's.
      config.describeUsers = () => (config.current.aclfile === "" ? describeAll(commands) : [])
      if (config.current.aclfile === "") return declare(commands)
      if (config.users.length > 0) return Effect.fail(new InvalidUsers({ reason: bothDeclared }))
      if (disk === undefined) return Effect.fail(new InvalidUsers({ reason: "there is no disk to read aclfile from" }))
      return readFile(commands).pipe(
        Effect.mapError(({ message }) => new InvalidUsers({ reason: message })),
        Effect.map(replaceBy),
      )
    },
    load: (running, commands) =>
      Effect.map(readFile(commands), (found) => {
        replaceBy(found)
        for (const client of [...clients.byId.values()]) if (client.user !== defaultUser) end(client, running)
      }),
    save: (commands) => {
      const file = path()
      if (file === undefined || disk === undefined) return Effect.fail(AclError.noFile)
      const text = describeAll(commands).map((line) => `user ${line}\n`)
      return disk.replace(file, Buffer.from(text.join(""), "latin1")).pipe(
        Effect.tapError((error) => Effect.logWarning(`The users were not saved: ${error.message}`)),
        Effect.mapError(() => AclError.notSaved),
      )
    },
    defaultUser,
    authRequired,
    isOpen,
    authenticate: (client, argv, name, password) => {
      const user = users.get(name)
      if (user === undefined || !user.accepts(password)) {
        const context = client.transaction === undefined ? "toplevel" : "multi"
        note(client, argv, { reason: "auth", context, object: argv[0]!, username: name })
        return Either.left(WrongPassword.error)
      }
      client.user = user
      client.authenticated = true
      return Either.void
    },
    reset: (client) => {
      client.user = defaultUser
      client.authenticated = !authRequired()
    },
    refusal: (client, command, argv, context) => {
      const { user } = client
      const denial = user.denial(command, argv)
      if (denial === undefined) return undefined
      note(client, argv, { reason: denial.obstacle, context, object: denial.object, username: user.name })
      return denial
    },
    users: () => [...users.values()].sort((a, b) => compare(a.name, b.name)),
    find: (name) => users.get(name),
    set: (running, name, words, commands) => {
      if (hasSpaces(name)) return Either.left(AclError.badName)
      const { rules, unmatched } = mergeSelectors(words)
      if (unmatched !== undefined) return Either.left(AclError.unmatched(unmatched))
      const user = users.get(name)
      const changed = user?.copy() ?? new User(flat(name), allChannels())
      for (const rule of rules) {
        const reason = changed.apply(rule, commands, allChannels())
        if (reason !== undefined) return Either.left(AclError.rule(rule, reason))
      }
      if (user === undefined) users.set(changed.name, changed)
      else {
        endSubscribers(running, user, changed)
        user.become(changed)
      }
      return Either.void
    },
    remove: (running, names) => {
      if (names.includes(defaultUser.name)) return Either.left(AclError.keepsDefault)
      let removed = 0
      for (const name of names) {
        const user = users.get(name)
        if (user === undefined) continue
        removed++
        users.delete(name)
        for (const client of [...clients.byId.values()]) if (client.user === user) end(client, running)
      }
      return Either.right(removed)
    },
    log,
  }
  return service
})
