package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

// jsonLines writes a line for each message, through to the disk.
type jsonLines struct {
	Path string `json:"path"`

	file *os.File
}

type line struct {
	ID      string          `json:"id"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
}

// configure takes the configuration; the host has checked it against the schema in plugin.yaml.
func (j *jsonLines) configure(_ context.Context, config json.RawMessage) error {
	return cdpplugin.DecodeConfig(config, j)
}

// start opens the file of this pipeline and stage.
func (j *jsonLines) start(_ context.Context, stage cdpplugin.StageContext) (err error) {
	name := stage.Pipeline + "." + stage.Stage + ".jsonl"
	j.file, err = os.OpenFile(filepath.Join(j.Path, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	return err
}

// consume writes a message; the host takes it for durable when this returns.
func (j *jsonLines) consume(_ context.Context, message cdpplugin.Message) error {
	text, err := json.Marshal(line{message.ID, message.Type, message.Payload})
	if err != nil {
		return err
	}
	if _, err := j.file.Write(append(text, '\n')); err != nil {
		return cdpplugin.Retry{Message: err.Error(), After: 5 * time.Second}
	}
	if err := j.file.Sync(); err != nil {
		return cdpplugin.Retry{Message: err.Error(), After: 5 * time.Second}
	}
	return nil
}

// stop closes the file; it is called once, also after a failed start.
func (j *jsonLines) stop(context.Context) error {
	if j.file == nil {
		return nil
	}
	return j.file.Close()
}
