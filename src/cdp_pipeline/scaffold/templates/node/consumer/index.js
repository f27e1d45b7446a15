/** Serves the plugin. */

import { serveConsumer } from "cdpplugin";

import { JsonLines } from "./json-lines.js";

const metadata = {
  name: "my-plugin",
  version: "0.1.0",
  description: "Appends messages to a file, one line of JSON each",
};

const lines = new JsonLines();
serveConsumer(metadata, (message) => lines.consume(message), {
  configure: (config) => lines.configure(config),
  start: (context) => lines.start(context),
  stop: () => lines.stop(),
});
