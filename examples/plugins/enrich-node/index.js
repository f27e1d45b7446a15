/** Serves the plugin. */

import { logger, serveProcessor } from "cdpplugin";

import { enrich, tiersOf } from "./enrich.js";

const metadata = {
  name: "enrich-node",
  version: "0.1.0",
  description: "Adds tier and exact amount to token transfers",
  license: "Apache-2.0",
  inputTypes: ["token_transfers"],
  outputTypes: ["enriched_transfer"],
  configSchema: {
    type: "object",
    additionalProperties: false,
    properties: {
      tiers: {
        description: "Least amount of each tier, in whole units of the asset.",
        type: "object",
        additionalProperties: { type: "number", minimum: 0 },
        default: { small: 0, large: 10000, whale: 1000000 },
      },
    },
  },
  outputSchema: {
    enriched_transfer: {
      type: "object",
      required: ["tier", "amount_exact"],
      properties: { tier: { type: "string" }, amount_exact: { type: "string" } },
    },
  },
};

let tiers = tiersOf({});

serveProcessor(metadata, (message) => enrich(message, tiers), {
  configure(config) {
    tiers = tiersOf(config);
    logger.info("configured", { tiers: tiers.length });
  },
});
