package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"sync"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

const processorSchema = `{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "greeting": {"type": "string", "description": "Any text."},
    "extra": {"description": "Any value."},
    "start": {"enum": ["", "fail", "retry", "fatal", "panic"], "default": "", "description": "How its start fails."},
    "diary": {"type": "string", "default": "", "description": "File to note start and stop in."}
  }
}`

type processorConfig struct {
	Greeting string          `json:"greeting"`
	Extra    json.RawMessage `json:"extra"`
	Start    string          `json:"start"`
	Diary    string          `json:"diary"`
}

// processor does what the key `do` of each payload says; several calls may run at once.
type processor struct {
	cdpplugin.Base
	config  processorConfig
	given   json.RawMessage
	stage   cdpplugin.StageContext
	turn    sync.Mutex
	count   int
	changes int
	status  cdpplugin.HealthStatus
}

func newProcessor() *processor {
	return &processor{given: json.RawMessage("{}")}
}

func (p *processor) Metadata() cdpplugin.PluginMetadata {
	return cdpplugin.PluginMetadata{
		Name: "cdp-reference-processor", Version: version, License: "Apache-2.0",
		Description: "Does what a payload asks for", ConfigSchema: json.RawMessage(processorSchema),
	}
}

func (p *processor) Configure(_ context.Context, config json.RawMessage) error {
	p.config, p.given = processorConfig{}, bytes.Clone(config)
	if err := cdpplugin.DecodeConfig(config, &p.config); err != nil {
		return err
	}
	return checkInstruction("start", p.config.Start, true)
}

func (p *processor) Start(_ context.Context, stage cdpplugin.StageContext) error {
	if p.config.Start != "" {
		return failStart(p.config.Start)
	}
	p.stage = stage
	return p.note("start")
}

func (p *processor) Stop(context.Context) error {
	return p.note("stop")
}

func (p *processor) note(word string) error {
	if p.config.Diary == "" {
		return nil
	}
	file, err := os.OpenFile(p.config.Diary, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteString(word + "\n")
	return err
}

func (p *processor) Health(context.Context) cdpplugin.HealthStatus {
	p.turn.Lock()
	defer p.turn.Unlock()
	return p.status
}

func (p *processor) ExportState(context.Context) ([]byte, error) {
	return []byte(strconv.Itoa(p.count)), nil
}

func (p *processor) ImportState(_ context.Context, state []byte) (err error) {
	p.count, err = strconv.Atoi(string(state))
	return err
}

// ProcessBatch obeys each row; an error or a panic costs only its own.
func (p *processor) ProcessBatch(_ context.Context, batch *cdpplugin.Batch) (*cdpplugin.Outputs, error) {
	collector := cdpplugin.NewOutputCollector(batch)
	for row := 0; row < batch.Len(); row++ {
		outputs, err := p.obeyed(batch, row)
		var drop cdpplugin.Drop
		switch {
		case err == nil:
			err = collector.AddAll(row, outputs)
		case asDrop(err, &drop):
			collector.Drop(string(drop))
			err = nil
		}
		if err != nil {
			collector.Fail(row, err)
		}
	}
	return collector.Outputs()
}

func asDrop(err error, drop *cdpplugin.Drop) (is bool) {
	*drop, is = err.(cdpplugin.Drop)
	return is
}

func (p *processor) obeyed(batch *cdpplugin.Batch, row int) (outputs []cdpplugin.Message, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	message, err := batch.Message(row)
	if err != nil {
		return nil, err
	}
	return p.work(message)
}
