import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 20_000,
    // The files of one process share what they import: loading the server anew for each of them took a third of the
    // whole run. Without a number, one of two cores would be left idle.
    isolate: false,
    maxWorkers: "100%",
    minWorkers: "100%",
  },
})
