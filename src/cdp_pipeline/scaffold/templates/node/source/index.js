/** Serves the plugin. */

import { serveSource } from "cdpplugin";

import { read } from "./counter.js";

const metadata = { name: "my-plugin", version: "0.1.0", description: "Counts", outputTypes: ["number"] };

serveSource(metadata, (after, signal, config) => read(config));
