/**
 * Serves the reference plugins in JavaScript: they do what `spec/conformance.md` says, and
 * nothing else.
 *
 *     node index.js processor | source | consumer
 */

import { logger, serve } from "cdpplugin";

import { ReferenceConsumer } from "./consumer.js";
import { ReferenceProcessor } from "./processor.js";
import { ReferenceSource } from "./source.js";

const PLUGINS = { processor: ReferenceProcessor, source: ReferenceSource, consumer: ReferenceConsumer };

const Plugin = PLUGINS[process.argv[2]];
if (Plugin === undefined) {
  logger.error("expected the kind of plugin: processor, source or consumer");
  process.exit(2);
}
serve(new Plugin(), { workers: 4 });
