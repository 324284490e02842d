/**
 * Commands as a script calls them: the checks that differ from a client's (and their texts), the script's own protocol and
 * database, and where its writes are logged.
 *
 * The idea to hold: the client lends itself to its script. What the script selects or speaks is put on the client for the
 * length of one call and taken off again.
 */
import type { AclService } from "../acl/Acl.ts"
import type * as Reply from "../codec/Reply.ts"
import type { Client } from "../command/Client.ts"
import { Flag, type ScriptCalls, type ScriptRules } from "../command/Command.ts"
import type { Entry } from "../command/Registry.ts"
import { ScriptNoPermission } from "../errors/AclErrors.ts"
import type { CommandError } from "../errors/CommandError.ts"
import { OutOfMemory } from "../errors/DispatchErrors.ts"
import { MasterDown, ReadOnlyReplica, ReplicaRefused } from "../errors/ReplicationErrors.ts"
import { ScriptRefused } from "../errors/ScriptErrors.ts"
import { everywhere } from "./Propagation.ts"

export interface ScriptCallServices {
  readonly acl: AclService
  readonly resolve: (argv: ReadonlyArray<string>) => Entry | CommandError
  /** Runs a command of a script with these keys that has passed its checks; `to`: where its changes go, as in Propagation.ts. */
  readonly execute: (
    client: Client,
    entry: Entry,
    argv: ReadonlyArray<string>,
    to: number,
    keys: ReadonlyArray<string>,
  ) => Reply.Reply
  /** Counts and answers a call that did not pass its checks. */
  readonly refused: (entry: Entry | undefined, error: CommandError) => Reply.Reply
  /** Whether scripts may call what is not for scripts (DEBUG SET-DISABLE-DENY-SCRIPTS). */
  readonly allowsAny: () => boolean
  /** Whether this server is a replica that is not to be written to, or not to answer from old data. */
  readonly isReadOnly: () => boolean
  readonly isStale: () => boolean
  /** Whether more memory is used than may be, and nothing can be evicted. */
  readonly outOfMemory: () => boolean
  /** The error that writes get while the disk is in trouble, or there are too few replicas. */
  readonly writeError: () => CommandError | undefined
}

const isError = (found: Entry | CommandError): found is CommandError => "code" in found

export const make =
  (services: ScriptCallServices) =>
  (client: Client, rules: ScriptRules): ScriptCalls => {
    let db = client.db
    let wrote = false
    let targets = everywhere
    // Asked once: a script must not begin to fail because of what it wrote itself.
    const outOfMemory = services.outOfMemory()
    const isStale = services.isStale()
    const isReadOnly = services.isReadOnly()
    const { declared } = rules
    const mayWrite = declared?.noWrites === false
    const refusal =
      isReadOnly && mayWrite
        ? ReadOnlyReplica.error
        : isStale && declared?.allowStale !== true
          ? MasterDown.error
          : mayWrite
            ? services.writeError()
            : undefined

    const check = ({ command }: Entry, argv: ReadonlyArray<string>): CommandError | undefined => {
      const { arity, mask } = command
      if (arity < 0 ? argv.length < -arity : argv.length !== arity) return ScriptRefused.wrongArity
      if (mask & Flag.noscript && !services.allowsAny()) return ScriptRefused.notFromScript
      if (!client.user.isUnrestricted) {
        const denial = services.acl.refusal(client, command, argv, "lua")
        if (denial !== undefined) return ScriptNoPermission.of(denial.obstacle)
      }
      if (rules.readOnly && mask & (Flag.write | Flag.may_replicate)) return ScriptRefused.writeInReadOnly
      if (isReadOnly && mask & Flag.write) return ReadOnlyReplica.error
      if (isStale && (mask & Flag.stale) === 0) return ReplicaRefused.staleCommand
      // What has written once goes on to its end: half of a script would be worse.
      if (!wrote && mask & Flag.write) {
        const error = services.writeError()
        if (error !== undefined) return error
      }
      if (outOfMemory && !rules.allowOom && !wrote && mask & Flag.denyoom) return OutOfMemory.error
      if (mask & Flag.blocking && asksToBlock(argv)) {
        return new ScriptRefused(`${command.name} command is not allowed with BLOCK option from scripts`)
      }
      return undefined
    }

    const call = (argv: ReadonlyArray<string>, protocol: 2 | 3): Reply.Reply => {
      const entry = services.resolve(argv)
      if (isError(entry)) return services.refused(undefined, ScriptRefused.unknownCommand)
      const error = check(entry, argv)
      if (error !== undefined) return services.refused(entry, error)
      if (entry.command.mask & Flag.write) wrote = true
      const own = client.db
      client.db = db
      client.scriptProtocol = protocol
      try {
        return services.execute(client, entry, argv, targets, rules.keys)
      } finally {
        db = client.db
        client.db = own
        client.scriptProtocol = undefined
      }
    }

    return {
      call,
      allows: (argv) => {
        const entry = services.resolve(argv)
        return isError(entry) ? undefined : client.user.denial(entry.command, argv) === undefined
      },
      setReplication: (flags) => {
        targets = flags
      },
      wrote: () => wrote,
      refusal,
      outOfMemory,
    }
  }

/** XREAD and XREADGROUP with BLOCK among their options. */
const asksToBlock = (argv: ReadonlyArray<string>): boolean => {
  for (let i = 1; i < argv.length; i++) {
    const word = argv[i]!.toUpperCase()
    if (word === "STREAMS") return false
    if (word === "BLOCK") return true
  }
  return false
}
