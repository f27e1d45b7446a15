package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

const create = `
CREATE TABLE IF NOT EXISTS %table% (
    type text NOT NULL,
    id text NOT NULL,
    position bigint NOT NULL,
    payload jsonb NOT NULL,
    metadata jsonb NOT NULL,
    written_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (type, id)
)`

const upsert = `
INSERT INTO %table% (type, id, position, payload, metadata)
SELECT type, id, position, payload::jsonb, metadata::jsonb
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[])
    AS given (type, id, position, payload, metadata)
ON CONFLICT (type, id) DO UPDATE
SET position = excluded.position, payload = excluded.payload, metadata = excluded.metadata,
    written_at = excluded.written_at`

// consumer writes messages to a table, each once.
//
// A delivery is one transaction, and is acknowledged when that is committed. After a crash the host
// hands over again what was not acknowledged; a message that is there already is written over,
// since its type and id are the table's key.
type consumer struct {
	cdpplugin.Base
	settings   settings
	connection *pgx.Conn
	// trouble is the last error, or empty where the last attempt went well.
	trouble atomic.Value
}

// Metadata says who it is; the rest stands in plugin.yaml.
func (c *consumer) Metadata() cdpplugin.PluginMetadata {
	return cdpplugin.PluginMetadata{
		Name: "postgres-consumer-go", Version: "0.1.0", Type: cdpplugin.PluginTypeConsumer,
	}
}

func (c *consumer) Configure(_ context.Context, config json.RawMessage) (err error) {
	c.settings, err = settingsOf(config)
	return err
}

// Start connects and makes the table. A server that is away may come back: it is no failure.
func (c *consumer) Start(ctx context.Context, _ cdpplugin.StageContext) error {
	err := c.connect(ctx)
	var retry cdpplugin.Retry
	if errors.As(err, &retry) {
		slog.Warn("the server is away", "error", err.Error())
		return nil
	}
	return err
}

func (c *consumer) Stop(ctx context.Context) error {
	c.disconnect(ctx)
	return nil
}

// Health says whether the last attempt to write went well.
func (c *consumer) Health(context.Context) cdpplugin.HealthStatus {
	if trouble, _ := c.trouble.Load().(string); trouble != "" {
		return cdpplugin.HealthStatus{Status: cdpplugin.Degraded, Message: trouble}
	}
	return cdpplugin.HealthStatus{Status: cdpplugin.Healthy}
}

// Consume writes a delivery and returns its mark: by then it is committed.
func (c *consumer) Consume(ctx context.Context, delivery cdpplugin.Delivery) (*int64, error) {
	if rows := rowsOf(delivery); len(rows.ids) > 0 {
		if err := c.write(ctx, rows); err != nil {
			return nil, err
		}
	}
	return cdpplugin.Position(delivery.CompletedThrough), nil
}

func (c *consumer) write(ctx context.Context, rows rows) error {
	if err := c.connect(ctx); err != nil {
		return err
	}
	err := pgx.BeginFunc(ctx, c.connection, func(transaction pgx.Tx) error {
		_, err := transaction.Exec(
			ctx, c.settings.sql(upsert), rows.types, rows.ids, rows.positions, rows.payloads, rows.metadata,
		)
		return err
	})
	return c.settle(ctx, err)
}

// connect makes a connection, and the table, unless there is one.
func (c *consumer) connect(ctx context.Context) (err error) {
	if c.connection != nil && !c.connection.IsClosed() {
		return nil
	}
	c.connection, err = pgx.ConnectConfig(ctx, c.settings.connection)
	if err == nil {
		err = c.makeTable(ctx)
	}
	return c.settle(ctx, err)
}

// makeTable makes the table where there is none: who may write to one need not be allowed to.
func (c *consumer) makeTable(ctx context.Context) error {
	var is bool
	err := c.connection.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", c.settings.table).Scan(&is)
	if err != nil || is {
		return err
	}
	_, err = c.connection.Exec(ctx, c.settings.sql(create))
	return err
}

// settle notes how an attempt went, and returns what the host is to do about err. What can pass
// begins with a new connection.
func (c *consumer) settle(ctx context.Context, err error) error {
	if err == nil {
		c.trouble.Store("")
		return nil
	}
	told := instructionOf(err, c.settings.place)
	c.trouble.Store(told.Error())
	var failed cdpplugin.PluginError
	if !errors.As(told, &failed) {
		c.disconnect(ctx)
	}
	return told
}

func (c *consumer) disconnect(ctx context.Context) {
	if c.connection != nil {
		_ = c.connection.Close(ctx) // what is not committed is handed over again
		c.connection = nil
	}
}
