/** A plugin that runs as a process and as a component: what it does, a payload asks for. */

import { readFileSync } from "node:fs";

import { Drop, logger, Message, Retry, serveProcessor } from "cdpplugin";
import { greeting } from "greetings";

const log = logger.bind({ part: "told" });
const madeAtTheTop = { calls: 0 };

const ACTIONS = {
  async change(message) {
    message.payload.seen = true;
    message.metadata.late = await late("late");
    return message;
  },
  two: (message) => [message, new Message({ type: "New", payload: { n: message.payload.n } })],
  drop() {
    throw new Drop("asked for");
  },
  nothing: () => null,
  retry() {
    throw new Retry("busy", { afterS: 2.5, hint: "wait" });
  },
  raise() {
    throw new TypeError("asked for é");
  },
  exit: () => process.exit(3),
  deep: (message) => ACTIONS.deep(message) && message,
  log(message) {
    log.info("told", { n: message.payload.n });
    console.log("printed");
    return message;
  },
  library(message) {
    const bytes = new TextEncoder().encode("é");
    const date = new Date(message.payload.date);
    message.payload = [greeting("you"), date.getUTCFullYear(), btoa(String.fromCharCode(...bytes))];
    return message;
  },
  random: (message) => ((message.payload = Math.random()), message),
  calls: (message) => ((message.payload = madeAtTheTop.calls), message),
  files: (message) => ((message.payload = readFileSync("/etc/hostname", "utf8")), message),
};

async function late(text) {
  await new Promise((resolve) => setTimeout(resolve, 1));
  return text;
}

await serveProcessor({ name: "both", version: "1.0.0", description: process.argv.slice(2).join(" ") }, (message) => {
  const asked = message.payload?.do;
  madeAtTheTop.calls += 1;
  return asked in ACTIONS ? ACTIONS[asked](message) : message;
});
