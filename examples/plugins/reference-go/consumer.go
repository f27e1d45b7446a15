package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

const consumerSchema = `{
  "type": "object",
  "additionalProperties": false,
  "required": ["path"],
  "properties": {
    "path": {"type": "string", "description": "Folder of the file."},
    "hold_back": {"type": "boolean", "default": false, "description": "Keep until flushed."}
  }
}`

type consumerConfig struct {
	Path     string `json:"path"`
	HoldBack bool   `json:"hold_back"`
}

// held is what stands in the file.
type held struct {
	Position int64 `json:"position"`
	Rows     []row `json:"rows"`
}

type row struct {
	Position    int64                  `json:"position"`
	ID          string                 `json:"id"`
	Type        string                 `json:"type"`
	Payload     json.RawMessage        `json:"payload"`
	Metadata    map[string]interface{} `json:"metadata"`
	Source      cdpplugin.SourceInfo   `json:"source"`
	TraceID     string                 `json:"trace_id"`
	ContentType string                 `json:"content_type"`
}

// consumer keeps its rows in `PATH/PIPELINE.STAGE.json`, which is replaced as a whole.
type consumer struct {
	cdpplugin.Base
	config   consumerConfig
	file     string
	taken    held
	durable  int64
	refusals map[string]int
}

func newConsumer() *consumer {
	return &consumer{taken: held{Position: -1}, durable: -1, refusals: map[string]int{}}
}

func (c *consumer) Metadata() cdpplugin.PluginMetadata {
	return cdpplugin.PluginMetadata{
		Name: "cdp-reference-consumer", Version: version, License: "Apache-2.0",
		Description: "Keeps its rows in a file", ConfigSchema: json.RawMessage(consumerSchema),
	}
}

func (c *consumer) Configure(_ context.Context, config json.RawMessage) error {
	c.config = consumerConfig{}
	if err := cdpplugin.DecodeConfig(config, &c.config); err != nil {
		return err
	}
	if c.config.Path == "" {
		return cdpplugin.ConfigInvalid{Message: "`path` is missing", Hint: "set `path`"}
	}
	return nil
}

func (c *consumer) Start(_ context.Context, stage cdpplugin.StageContext) (err error) {
	c.file = c.fileOf(stage)
	c.taken, err = readFile(c.file)
	c.durable = c.taken.Position
	return err
}

func (c *consumer) fileOf(stage cdpplugin.StageContext) string {
	return filepath.Join(c.config.Path, stage.Pipeline+"."+stage.Stage+".json")
}

func (c *consumer) DurablePosition(context.Context) (*int64, error) {
	return &c.durable, nil
}

// Consume takes the rows that are new and keeps them, unless they are held back.
func (c *consumer) Consume(_ context.Context, delivery cdpplugin.Delivery) (*int64, error) {
	fresh := delivery.After(c.durable)
	rows := make([]row, 0, fresh.Batch.Len())
	for index := 0; index < fresh.Batch.Len(); index++ {
		message, err := fresh.Batch.Message(index)
		if err == nil {
			err = c.obey(message)
		}
		if err != nil {
			return nil, err
		}
		rows = append(rows, rowOf(message, fresh.Positions[index]))
	}
	c.taken.Rows = append(c.taken.Rows, rows...)
	c.taken.Position = max(c.taken.Position, delivery.CompletedThrough)
	if c.config.HoldBack {
		return nil, nil
	}
	return c.commit()
}

// order is what a payload may ask a consumer for.
type order struct {
	wish
	Do      string  `json:"do"`
	Times   *int    `json:"times"`
	Seconds float64 `json:"seconds"`
}

func (c *consumer) obey(message cdpplugin.Message) error {
	var wanted order
	if json.Unmarshal(message.Payload, &wanted) != nil {
		return nil
	}
	if wanted.Do == "sleep" {
		time.Sleep(time.Duration(wanted.Seconds * float64(time.Second)))
	}
	if !isInstruction(wanted.Do) {
		return nil
	}
	c.refusals[message.ID]++
	if wanted.Times != nil && c.refusals[message.ID] > *wanted.Times {
		return nil
	}
	return instruct(wanted.Do, wanted.wish)
}

func rowOf(message cdpplugin.Message, position int64) row {
	return row{
		Position: position, ID: message.ID, Type: message.Type, Payload: append(json.RawMessage{}, message.Payload...),
		Metadata: message.Metadata, Source: message.Source, TraceID: message.TraceID, ContentType: message.ContentType,
	}
}

func (c *consumer) Flush(context.Context) (*int64, error) {
	return c.commit()
}

// commit writes the file through to the disk.
func (c *consumer) commit() (*int64, error) {
	text, err := json.Marshal(c.taken)
	if err != nil {
		return nil, err
	}
	draft := c.file + ".draft"
	if err := writeThrough(draft, text); err != nil {
		return nil, err
	}
	if err := os.Rename(draft, c.file); err != nil {
		return nil, err
	}
	c.durable = c.taken.Position
	return cdpplugin.Position(c.durable), nil
}

func writeThrough(path string, text []byte) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Sync(), file.Close())
}

func (c *consumer) Forget(_ context.Context, stage cdpplugin.StageContext) ([]string, error) {
	file := c.fileOf(stage)
	found, err := readFile(file)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return []string{fmt.Sprintf("forgot %d rows of `%s.%s`", len(found.Rows), stage.Pipeline, stage.Stage)}, nil
}

func readFile(path string) (held, error) {
	nothing := held{Position: -1, Rows: []row{}}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nothing, nil
	}
	if err != nil {
		return nothing, err
	}
	var found held
	err = json.Unmarshal(text, &found)
	return found, err
}
