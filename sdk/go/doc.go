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
// The wire contract is spec/handshake.md of the repository.
package cdpplugin

// Version is the version of this SDK.
const Version = "0.1.0"
