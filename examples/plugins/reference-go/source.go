package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

const sourceSchema = `{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "first": {"type": "integer", "default": 1, "description": "First position."},
    "last": {"type": ["integer", "null"], "default": 20, "description": "Last; null: none."},
    "rows": {"type": "integer", "default": 1, "description": "Rows at each position."},
    "batch": {"type": "integer", "default": 1, "description": "Positions in each batch."},
    "gaps": {"type": "integer", "default": 0, "description": "Multiples of it have no row."},
    "size_bytes": {"type": "integer", "default": 0, "description": "Size of each row's filler."},
    "fail_at": {"type": ["integer", "null"], "default": null, "description": "Fails there once."},
    "fail_with": {"enum": ["fail", "retry", "fatal", "panic"], "default": "retry", "description": "How it fails."}
  }
}`

const numberType = "Reference.Number"

type sourceConfig struct {
	First     int64  `json:"first"`
	Last      *int64 `json:"last"`
	Rows      int    `json:"rows"`
	Batch     int64  `json:"batch"`
	Gaps      int64  `json:"gaps"`
	SizeBytes int    `json:"size_bytes"`
	FailAt    *int64 `json:"fail_at"`
	FailWith  string `json:"fail_with"`
}

func sourceDefaults() sourceConfig {
	return sourceConfig{First: 1, Last: cdpplugin.Position(20), Rows: 1, Batch: 1, FailWith: "retry"}
}

// source counts positions.
type source struct {
	cdpplugin.Base
	config       sourceConfig
	network      string
	acknowledged atomic.Int64
	failed       bool
}

func newSource() *source {
	counting := &source{config: sourceDefaults()}
	counting.acknowledged.Store(-1)
	return counting
}

func (s *source) Metadata() cdpplugin.PluginMetadata {
	return cdpplugin.PluginMetadata{
		Name: "cdp-reference-source", Version: version, License: "Apache-2.0", Description: "Counts positions",
		OutputTypes: []string{numberType}, ConfigSchema: json.RawMessage(sourceSchema),
	}
}

func (s *source) Configure(_ context.Context, config json.RawMessage) error {
	s.config = sourceDefaults()
	if err := cdpplugin.DecodeConfig(config, &s.config); err != nil {
		return err
	}
	return checkInstruction("fail_with", s.config.FailWith, false)
}

func (s *source) Start(_ context.Context, stage cdpplugin.StageContext) error {
	s.network = stage.Network
	return nil
}

func (s *source) Describe(context.Context) (cdpplugin.SourceDescription, error) {
	return cdpplugin.SourceDescription{
		Identity: "cdp-reference-source", Network: s.network, Unit: "positions",
		First: &s.config.First, Last: s.config.Last, Start: strconv.FormatInt(s.config.First, 10),
	}, nil
}

func (s *source) Acknowledge(_ context.Context, completedThrough int64) error {
	s.acknowledged.Store(completedThrough)
	return nil
}

// Read yields the positions after *after.
func (s *source) Read(ctx context.Context, after *cdpplugin.Resume, yield func(cdpplugin.SourceBatch) error) error {
	position := s.config.First
	if after != nil {
		position = max(position, after.Position+1)
	}
	for s.config.Last == nil || position <= *s.config.Last {
		if err := ctx.Err(); err != nil {
			return err
		}
		stop, err := s.stop(position)
		if err != nil {
			return err
		}
		batch, err := s.batch(position, stop, after)
		if err != nil {
			return err
		}
		if err := yield(batch); err != nil {
			return err
		}
		position = stop
	}
	return nil
}

// stop returns where the batch that begins at position ends: before the position that fails, where
// that lies in it.
func (s *source) stop(position int64) (int64, error) {
	stop := position + s.config.Batch
	if s.config.Last != nil {
		stop = min(stop, *s.config.Last+1)
	}
	at := s.config.FailAt
	if s.failed || at == nil || *at < position || *at >= stop {
		return stop, nil
	}
	if *at > position {
		return *at, nil
	}
	s.failed = true
	return 0, failReading(s.config.FailWith, *at)
}

type resumed struct {
	Position int64  `json:"position"`
	Token    string `json:"token"`
}

type number struct {
	Position     int64    `json:"position"`
	Index        int      `json:"index"`
	Acknowledged int64    `json:"acknowledged"`
	Resumed      *resumed `json:"resumed"`
	Filler       string   `json:"filler"`
}

func (s *source) batch(first, stop int64, after *cdpplugin.Resume) (cdpplugin.SourceBatch, error) {
	var messages []cdpplugin.Message
	var positions []int64
	value := number{Acknowledged: s.acknowledged.Load(), Filler: strings.Repeat("x", s.config.SizeBytes)}
	if after != nil {
		value.Resumed = &resumed{after.Position, hex.EncodeToString(after.Token)}
	}
	for value.Position = first; value.Position < stop; value.Position++ {
		if s.config.Gaps > 0 && value.Position%s.config.Gaps == 0 {
			continue
		}
		for value.Index = 0; value.Index < s.config.Rows; value.Index++ {
			payload, err := json.Marshal(value)
			if err != nil {
				return cdpplugin.SourceBatch{}, err
			}
			id := fmt.Sprintf("number:%d:%d", value.Position, value.Index)
			messages = append(messages, cdpplugin.Message{ID: id, Type: numberType, Payload: payload})
			positions = append(positions, value.Position)
		}
	}
	batch, err := cdpplugin.BatchOf(messages...)
	return cdpplugin.SourceBatch{
		Batch: batch, Positions: positions, CompletedThrough: cdpplugin.Position(stop - 1),
		Token: []byte(strconv.FormatInt(stop-1, 10)),
	}, err
}
