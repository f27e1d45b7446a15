/** Counts. */

import { Message } from "cdpplugin";

const COUNT = 10;

/**
 * Yield the same messages at every run: the host leaves out those that are durable.
 *
 * @param {{count?: number}} config checked by the host against the schema in plugin.yaml
 */
export function* read(config) {
  const count = config.count ?? COUNT;
  for (let number = 1; number <= count; number++) {
    yield new Message({ type: "number", payload: { number, square: number * number } });
  }
}
