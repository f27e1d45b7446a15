/** Plugins run as processes of their own by the tests: `node fixtures.js NAME`. */

import { logger, serveConsumer, serveProcessor, serveSource } from "../src/index.js";

const identity = { name: "fixture", version: "0.1.0" };

const FIXTURES: Record<string, () => void> = {
  echo: () => void serveProcessor(identity, (message) => message),
  slow: () => {
    let finish: () => void;
    const wait = new Promise<void>((resolve) => (finish = resolve));
    process.on("SIGTERM", () => setImmediate(finish));
    void serveProcessor(
      identity,
      async (message) => {
        console.log("working");
        await wait;
        return message;
      },
      { stop: () => logger.info("stopped", { big: 2n ** 63n, error: new Error("why") }) },
    );
  },
  hanging: () => void serveProcessor(identity, () => (console.log("working"), new Promise(() => undefined))),
  source: () => void serveSource(identity, function* () {}),
  consumer: () => void serveConsumer(identity, () => undefined),
};

FIXTURES[process.argv[2] as string]!();
