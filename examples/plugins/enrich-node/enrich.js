/** Adds to a token transfer its tier and its exact amount. */

import { ConfigInvalid, PluginError } from "cdpplugin";

/** Stroops in one unit of any asset (CAP-46-6 keeps the seven decimals of classic assets). */
const STROOPS = 10_000_000n;
const TIERS = { small: 0, large: 10_000, whale: 1_000_000 };

/**
 * Return the tiers as `[name, least amount in stroops]`, the greatest first.
 *
 * @param {{tiers?: Record<string, number>}} config
 * @returns {[string, bigint][]}
 */
export function tiersOf(config) {
  const tiers = Object.entries(config.tiers ?? TIERS).map(([name, least]) => [name, stroops(name, least)]);
  return tiers.sort(([, a], [, b]) => (a < b ? 1 : -1));
}

function stroops(name, least) {
  const exact = Math.round(least * Number(STROOPS));
  if (Number.isSafeInteger(exact) && exact >= 0) return BigInt(exact);
  throw new ConfigInvalid(`the tier \`${name}\` needs an amount from 0 to 900719925, got ${least}`, {
    hint: "write the least amount in whole units of the asset",
  });
}

/**
 * Return `message` as an enriched transfer.
 *
 * `amount_raw` is a 64-bit integer as text; as a JavaScript number it would lose digits.
 *
 * @param {import("cdpplugin").Message} message
 * @param {[string, bigint][]} tiers
 */
export function enrich(message, tiers) {
  const transfer = message.payload;
  if (!/^-?\d+$/.test(transfer?.amount_raw)) {
    throw new PluginError(`expected \`amount_raw\` to be an integer as text, got \`${transfer?.amount_raw}\``, {
      code: "enrich.amount_invalid",
      hint: "put `rows` with the table token_transfers before this stage",
    });
  }
  const amount = BigInt(transfer.amount_raw);
  transfer.tier = tiers.find(([, least]) => amount >= least)?.[0] ?? "";
  transfer.amount_exact = decimal(amount);
  message.type = "enriched_transfer";
  return message;
}

function decimal(amount) {
  const sign = amount < 0n ? "-" : "";
  const whole = amount < 0n ? -amount : amount;
  return `${sign}${whole / STROOPS}.${String(whole % STROOPS).padStart(7, "0")}`;
}
