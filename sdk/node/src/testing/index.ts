/**
 * Start a plugin in a test, and talk to it as a host does.
 *
 * ```js
 * const plugin = await startTestPlugin({ name: "large", version: "1.0.0" }, large, { config: { least: 10 } });
 * const output = await plugin.process({ type: "Payment", payload: { amount: 11 } });
 * await plugin.stop();
 * ```
 *
 * The plugin is served for real, on a Unix socket, and reached by gRPC: what is tried is the
 * author's function with all that is around it.
 */

export { type Answer, type Reading, TestPlugin } from "./plugin.js";
export { startTestPlugin, startTestPluginProcess, type TestOptions } from "./starting.js";
