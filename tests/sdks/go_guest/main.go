// Command go-guest is what the tests of Go guests drive: the variable GUEST says what its main does,
// the payload of a message what its function does.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"log/slog"
	"os"
	"strings"
	"time"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

var metadata = cdpplugin.PluginMetadata{Name: "go-guest", Version: "1.0.0"}

// mains are what main can do, by the value of GUEST.
var mains = map[string]func() error{
	"": func() error { return cdpplugin.ServeProcessor(metadata, work, cdpplugin.WithWorkers(3)) },
	"batches": func() error {
		return cdpplugin.ServeBatchProcessor(metadata, func(_ context.Context, batch *cdpplugin.Batch) (*cdpplugin.Outputs, error) {
			return nil, cdpplugin.Retry{Message: "a batch later", After: time.Second}
		})
	},
	"consumer": func() error {
		return cdpplugin.ServeConsumer(metadata, func(_ context.Context, message cdpplugin.Message) error {
			if string(message.Payload) == `"refuse"` {
				return cdpplugin.PluginError{Message: "no room", Code: "guest.full"}
			}
			slog.Info("took", "id", message.ID)
			return nil
		})
	},
	"source": func() error {
		return cdpplugin.ServeSource(metadata, func(context.Context, func(cdpplugin.Message) error) error { return nil })
	},
	"nameless": func() error { return cdpplugin.ServeProcessor(cdpplugin.PluginMetadata{}, work) },
	"silent":   func() error { return nil },
	"panic":    func() error { panic("main panicked") },
	"exit":     func() error { log.Fatal("main gave up"); return nil },
}

func main() {
	defer slog.Info("main ended", "arguments", len(os.Args))
	if err := mains[os.Getenv("GUEST")](); err != nil {
		log.Fatal(err)
	}
	slog.Info("main went on")
}

// kept holds texts of earlier messages.
var kept []string

func work(_ context.Context, message cdpplugin.Message) (cdpplugin.Message, error) {
	var order string
	if err := json.Unmarshal(message.Payload, &order); err != nil {
		return cdpplugin.Message{}, err
	}
	switch order {
	case "panic":
		panic("boom")
	case "nil":
		var none *cdpplugin.Message
		message.ID = none.ID
	case "bounds":
		message.ID = kept[len(kept)]
	case "zero":
		message.Payload = json.RawMessage(fmt.Sprint(1 / len(kept)))
	case "map":
		var none map[string]int
		none[message.ID]++
	case "deadlock":
		<-make(chan int)
	case "exit":
		os.Exit(3)
	case "memory":
		for size := 1; ; size *= 2 {
			kept = append(kept, strings.Repeat("x", size))
		}
	case "recursion":
		return cdpplugin.Message{}, fmt.Errorf("depth %d", deeper(0))
	case "goroutine":
		answer := make(chan string)
		go func() { answer <- `"from another"` }()
		message.Payload = json.RawMessage(<-answer)
	case "sleep":
		begun := time.Now()
		time.Sleep(time.Hour)
		message.Payload = json.RawMessage(fmt.Sprint(time.Since(begun) >= time.Hour))
	case "log":
		slog.Warn("a line", "number", 7)
		log.Print("a plain line")
	case "keep":
		kept = append(kept, message.ID)
	case "kept":
		text, err := json.Marshal(kept)
		message.Payload = text
		return message, err
	}
	return message, nil
}

func deeper(depth int) int {
	return deeper(depth+1) + 1
}
