/** Marks large transfers, and leaves out the others. */

import { Drop, PluginError } from "cdpplugin";

const MIN_AMOUNT = 1000;

/**
 * Return a large transfer marked; an error costs this message only.
 *
 * @param {import("cdpplugin").Message} message
 * @param {{min_amount?: number}} config checked by the host against the schema in plugin.yaml
 */
export function process(message, config) {
  const transfer = message.payload;
  if (!["number", "bigint"].includes(typeof transfer?.amount)) {
    throw new PluginError(`expected \`amount\` to be a number, got \`${transfer?.amount}\``, {
      code: "my_plugin.no_amount",
      hint: "put `rows` with the table token_transfers before this stage",
    });
  }
  if (transfer.amount < (config.min_amount ?? MIN_AMOUNT)) throw new Drop("small");
  transfer.large = true;
  message.metadata.marked_by = "my-plugin";
  return message;
}
