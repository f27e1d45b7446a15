package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

// source reads pages of records.
//
// A position counts the records from 1. The token that goes with it is the cursor, so that a later
// run asks for the page after it, and counts on.
type source struct {
	cdpplugin.Base
	settings settings
	network  string
	client   http.Client
	// trouble is the last error, or empty where the last page came.
	trouble atomic.Value
}

// Metadata says who it is; the rest stands in plugin.yaml.
func (s *source) Metadata() cdpplugin.PluginMetadata {
	return cdpplugin.PluginMetadata{Name: "http-source-go", Version: "0.1.0", Type: cdpplugin.PluginTypeSource}
}

func (s *source) Configure(_ context.Context, config json.RawMessage) (err error) {
	s.settings, err = settingsOf(config)
	return err
}

func (s *source) Start(_ context.Context, stage cdpplugin.StageContext) error {
	s.network = stage.Network
	return nil
}

func (s *source) Stop(context.Context) error {
	s.client.CloseIdleConnections()
	return nil
}

// Health says whether the last page came.
func (s *source) Health(context.Context) cdpplugin.HealthStatus {
	if trouble, _ := s.trouble.Load().(string); trouble != "" {
		return cdpplugin.HealthStatus{Status: cdpplugin.Degraded, Message: trouble}
	}
	return cdpplugin.HealthStatus{Status: cdpplugin.Healthy}
}

func (s *source) Describe(context.Context) (cdpplugin.SourceDescription, error) {
	address := *s.settings.address
	address.User = nil
	return cdpplugin.SourceDescription{
		Identity: address.String(), Network: s.network, Unit: "records", First: cdpplugin.Position(1), Start: s.settings.Cursor,
	}, nil
}

// Read yields the records after *after*, a page at a time, and waits for more where it follows.
func (s *source) Read(ctx context.Context, after *cdpplugin.Resume, yield func(cdpplugin.SourceBatch) error) error {
	place := placeOf(after, s.settings.Cursor)
	for {
		records, err := s.next(ctx, place.cursor)
		if err != nil {
			return err
		}
		if len(records) > 0 {
			batch, last, err := s.batch(records, place)
			if err != nil {
				return err
			}
			if err := yield(batch); err != nil {
				return err
			}
			place = last
			continue
		}
		if !s.settings.Follow {
			return nil
		}
		if err := sleep(ctx, seconds(s.settings.PollInterval)); err != nil {
			return err
		}
	}
}

// next returns the records of the page after cursor.
func (s *source) next(ctx context.Context, cursor string) ([]record, error) {
	page, err := s.fetch(ctx, cursor)
	var records []record
	if err == nil {
		records, err = s.settings.recordsOf(page)
	}
	if err == nil && len(records) > 0 && records[len(records)-1].cursor == cursor {
		err = s.settings.fault("cursor_stuck", "see that the API knows `cursor`, and that `cursor_field` is what it means by that",
			"the page after the cursor `%s` ends with this cursor again", cursor)
	}
	trouble := ""
	if err != nil {
		trouble = err.Error()
	}
	s.trouble.Store(trouble)
	return records, err
}

// batch returns records as messages, and the place of the last.
func (s *source) batch(records []record, before place) (cdpplugin.SourceBatch, place, error) {
	messages := make([]cdpplugin.Message, len(records))
	positions := make([]int64, len(records))
	last := before
	for row, record := range records {
		last = place{last.position + 1, record.cursor}
		messages[row] = cdpplugin.Message{
			ID: s.settings.Type + ":" + record.cursor, Type: s.settings.Type, Payload: record.payload,
		}
		positions[row] = last.position
	}
	batch, err := cdpplugin.BatchOf(messages...)
	return cdpplugin.SourceBatch{Batch: batch, Positions: positions, Token: last.token()}, last, err
}

// place is where a reading stands: behind a record.
type place struct {
	position int64
	cursor   string
}

// token is a place as text, for a later run.
func (p place) token() []byte {
	return fmt.Appendf(nil, "%d %s", p.position, p.cursor)
}

// placeOf returns where to go on. The token may lie before the position, after a run that ended in
// the middle of a page: the host leaves out what it has.
func placeOf(after *cdpplugin.Resume, first string) place {
	if after == nil {
		return place{0, first}
	}
	digits, cursor, found := strings.Cut(string(after.Token), " ")
	position, err := strconv.ParseInt(digits, 10, 64)
	if !found || err != nil {
		return place{0, first}
	}
	return place{position, cursor}
}

func sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
