/**
 * The public names, for programs that embed a server and for their tests. `Server` composes; the tags are what a program
 * may replace by a layer of its own; `Reply` and `CommandError` are what commands answer.
 */
export { Chance } from "./clock/Chance.ts"
export { Clock } from "./clock/Clock.ts"
export { Codec } from "./codec/Codec.ts"
export * as Reply from "./codec/Reply.ts"
export { Config, type Values } from "./config/Config.ts"
export * as CommandError from "./errors/CommandError.ts"
export { Persistence } from "./persistence/Persistence.ts"
export * as Server from "./Server.ts"
export { MemoryConnector, type MemoryPeer } from "./socket/MemorySocket.ts"
export { Socket } from "./socket/Socket.ts"
export { Store } from "./store/Store.ts"
