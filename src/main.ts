#!/usr/bin/env node
/** Starts a server: settings, layers, launch. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Layer from "effect/Layer"
import * as Server from "./Server.ts"

Layer.launch(Server.layer({ port: Number(process.env["PORT"] ?? 6379) })).pipe(NodeRuntime.runMain)
