/**
 * The public names, for programs that embed a server and for their tests. `Server` composes; the tags are what a program
 * may replace by a layer of its own, or ask for what is running; `Command`, `Arg` and `Key` make commands of its own, which
 * answer with a `Reply` or a `CommandError`.
 */
export { Acl } from "./acl/Acl.ts"
export { Chance } from "./clock/Chance.ts"
export { Clock } from "./clock/Clock.ts"
export { Codec } from "./codec/Codec.ts"
export * as Reply from "./codec/Reply.ts"
export * as Arg from "./command/Arg.ts"
export { Args } from "./command/Args.ts"
export { Clients } from "./command/Clients.ts"
export * as Command from "./command/Command.ts"
export * as Key from "./command/Key.ts"
export { Registry } from "./command/Registry.ts"
export { Shutdown } from "./command/Shutdown.ts"
export { Config, type Values } from "./config/Config.ts"
export * as CommandError from "./errors/CommandError.ts"
export { type Change, Persistence } from "./persistence/Persistence.ts"
export { Connector } from "./replication/link/Connector.ts"
export { Replication } from "./replication/Replication.ts"
export { ScriptEngine } from "./scripting/ScriptEngine.ts"
export * as Server from "./Server.ts"
export { Listener } from "./socket/Listener.ts"
export {
  layerConnectorTo,
  layerMemory as layerSocketMemory,
  MemoryConnector,
  type MemoryPeer,
} from "./socket/MemorySocket.ts"
export { Socket } from "./socket/Socket.ts"
export type { Transport } from "./socket/Transport.ts"
export { Store } from "./store/Store.ts"
