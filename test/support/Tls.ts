/**
 * Certificates for tests, and clients that use them. The files were made once, to last a hundred years, each signed by itself:
 *
 *     openssl req -x509 -newkey rsa:2048 -nodes -keyout server.key -out server.crt -days 36500 -subj /CN=localhost \
 *       -addext "subjectAltName=DNS:localhost,IP:127.0.0.1"
 *     openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout client.key -out client.crt \
 *       -days 36500 -subj /CN=client
 */
import { readFileSync } from "node:fs"
import * as net from "node:net"
import { join } from "node:path"
import * as tls from "node:tls"
import { makeClient, type TestClient } from "./TestServer.ts"

export type Name = "server" | "client" | "stranger"

const path = (file: string): string => join(import.meta.dirname, "../fixtures/tls", file)

export const certificateFile = (name: Name): string => path(`${name}.crt`)
export const keyFile = (name: Name): string => path(`${name}.key`)

/** What a client shows. */
export const shown = (name: Name) => ({ cert: readFileSync(certificateFile(name)), key: readFileSync(keyFile(name)) })

/** What a server needs to serve TLS to everybody. */
export const settings = {
  tlsCertFile: certificateFile("server"),
  tlsKeyFile: keyFile("server"),
  tlsAuthClients: "no",
} as const

export interface Peer {
  readonly socket: tls.TLSSocket
  /** Ends the connection below without a word. */
  readonly reset: () => void
}

/** Connects; hands need not have been shaken yet. */
export const open = (port: number, options: tls.ConnectionOptions = {}): Peer => {
  const raw = net.connect(port, "127.0.0.1")
  raw.setNoDelay(true)
  raw.on("error", () => {})
  const socket = tls.connect({
    socket: raw,
    ca: readFileSync(certificateFile("server")),
    servername: "localhost",
    ...options,
  })
  socket.on("error", () => {})
  return { socket, reset: () => raw.resetAndDestroy() }
}

/** Connects, and fails where hands cannot be shaken. */
export const shake = (port: number, options: tls.ConnectionOptions = {}): Promise<tls.TLSSocket> =>
  new Promise((resolve, reject) => {
    const { socket } = open(port, options)
    socket.once("error", reject)
    socket.once("close", () => reject(new Error("closed")))
    socket.once("secureConnect", () => resolve(socket))
  })

/** What tests ask a server through. */
export const clientOver = (socket: tls.TLSSocket): TestClient =>
  makeClient({
    write: (bytes) => socket.write(bytes, "latin1"),
    end: () => socket.end(),
    destroy: () => socket.destroy(),
    onData: (listener) => socket.on("data", (chunk: Buffer) => listener(chunk.latin1Slice())),
    onClosed: (listener) => socket.once("close", listener),
  })

export const connectTls = async (port: number, options: tls.ConnectionOptions = {}): Promise<TestClient> =>
  clientOver(await shake(port, options))
