// Command http-source-go is a source plugin of CDP Pipeline: it reads a paged JSON API, from page to
// page by a cursor, as Horizon has it.
package main

import (
	"log/slog"
	"os"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

func main() {
	if err := cdpplugin.Serve(&source{}); err != nil {
		slog.Error(err.Error())
		os.Exit(1)
	}
}
