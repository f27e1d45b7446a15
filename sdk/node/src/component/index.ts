/** What the entry of a component exports; `cdpplugin-componentize` writes that entry. */

import { exportsOf, World } from "./world.js";

export { exportsOf, World };

export const { metadata, configure, start, process, processBatch, health, stop, exportState, importState } =
  new World();
