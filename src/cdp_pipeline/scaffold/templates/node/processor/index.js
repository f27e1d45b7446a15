/** Serves the plugin. */

import { serveProcessor } from "cdpplugin";

import { process } from "./large-transfers.js";

const metadata = {
  name: "my-plugin",
  version: "0.1.0",
  description: "Marks large transfers and leaves out the others",
  inputTypes: ["token_transfers"],
  outputTypes: ["token_transfers"],
};

serveProcessor(metadata, process);
