/** Checks a configuration against the part of JSON Schema that the reference plugins use. */

import { ConfigInvalid } from "cdpplugin";

const FITS = {
  string: (value) => typeof value === "string",
  boolean: (value) => typeof value === "boolean",
  integer: (value) => Number.isInteger(value),
  null: (value) => value === null,
};

/** Return the schema of an object that has these properties and no others. */
export function schema(properties, required = []) {
  return { type: "object", properties, required, additionalProperties: false };
}

/**
 * Return `config` with the defaults of `rules`.
 *
 * @throws ConfigInvalid it does not fit; the message names the key.
 */
export function checked(config, { properties, required }) {
  for (const [name, value] of Object.entries(config)) {
    if (!Object.hasOwn(properties, name)) {
      const known = Object.keys(properties).map((each) => `\`${each}\``);
      throw new ConfigInvalid(`unknown key \`${name}\``, { hint: `the keys are ${known.join(", ")}` });
    }
    check(name, value, properties[name]);
  }
  for (const name of required) {
    if (!Object.hasOwn(config, name)) {
      throw new ConfigInvalid(`\`${name}\` is missing`, { hint: `set \`${name}\`` });
    }
  }
  const defaults = Object.entries(properties).map(([name, rule]) => [name, rule.default]);
  return { ...Object.fromEntries(defaults), ...config };
}

function check(name, value, rule) {
  const kinds = [rule.type ?? []].flat();
  const fits = kinds.length === 0 || kinds.some((kind) => FITS[kind](value));
  if (fits && (rule.enum === undefined || rule.enum.includes(value))) return;
  const expected = (rule.enum ?? kinds).join(" or ");
  throw new ConfigInvalid(`expected \`${name}\` to be ${expected}, got \`${value}\``, { hint: `change \`${name}\`` });
}
