// Command postgres-consumer-go is a consumer plugin of CDP Pipeline: it writes messages to a table
// in PostgreSQL, each once.
package main

import (
	"log/slog"
	"os"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

func main() {
	if err := cdpplugin.Serve(&consumer{}); err != nil {
		slog.Error(err.Error())
		os.Exit(1)
	}
}
