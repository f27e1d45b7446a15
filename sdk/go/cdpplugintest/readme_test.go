package cdpplugintest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const (
	// readmeMain is what the README leaves to the author.
	readmeMain = `package main

import (
	"context"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

var metadata = cdpplugin.PluginMetadata{Name: "readme", Version: "1.0.0"}

func process(_ context.Context, message cdpplugin.Message) (cdpplugin.Message, error) {
	message.Type = "ProcessedData"
	return message, nil
}

func main() { _ = serve() }
`
	readmeTest = `package main

import (
	"context"
	"encoding/json"
	"testing"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
	"github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/cdpplugintest"
)
`
)

// The plugin and the test of the README's section on tests pass as they stand there.
func TestReadme(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	_, section, _ := strings.Cut(string(readme), "\n## Testing\n")
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(section, 2)
	if len(blocks) != 2 {
		t.Fatalf("expected a plugin and its test, got %d blocks", len(blocks))
	}
	// Within this module, whose SDK the files are to use; what is in `testdata` is no package of it.
	folder, err := os.MkdirTemp("testdata", "readme")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(folder) })
	for name, text := range map[string]string{"main.go": readmeMain + blocks[0][1], "main_test.go": readmeTest + blocks[1][1]} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	if told, err := exec.Command("go", "test", "./"+folder).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, told)
	}
}
