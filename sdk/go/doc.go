// Package cdpplugin turns Go code into a plugin of a CDP Pipeline.
//
// A plugin in ten lines:
//
//	func main() {
//		metadata := cdpplugin.PluginMetadata{Name: "large-payments", Version: "1.0.0"}
//		err := cdpplugin.ServeProcessor(metadata, func(ctx context.Context, message cdpplugin.Message) (cdpplugin.Message, error) {
//			if len(message.Payload) < 100 {
//				return cdpplugin.Message{}, cdpplugin.Drop("small")
//			}
//			return message, nil
//		})
//		if err != nil {
//			log.Fatal(err)
//		}
//	}
//
// The one-function plugins are [ServeProcessor], [ServeFlatProcessor], [ServeBatchProcessor],
// [ServeSource] and [ServeConsumer]; [Serve] takes a full [Processor], [Source] or [Consumer].
// What an author returns as an error is an instruction to the host: [Retry], [Drop] or [Fatal];
// any other error, and any panic, is left to the stage's error policy and costs only its row.
//
// Built with GOOS=wasip1, GOARCH=wasm and -buildmode=c-shared, the same source is a WebAssembly module
// that the host runs in its own process; the README says what then holds.
//
// The contracts are spec/handshake.md and spec/wasm-abi.md of the repository.
package cdpplugin

// Version is the version of this SDK.
const Version = "0.1.0"
