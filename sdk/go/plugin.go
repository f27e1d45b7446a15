package cdpplugin

import (
	"context"
	"encoding/json"
)

// Plugin is what every plugin has. Its life: Metadata, Configure, Start, work, Stop.
//
// [Base] gives every optional method of the interfaces below a sensible default.
type Plugin interface {
	// Metadata says who it is; it needs no configuration and touches nothing.
	Metadata() PluginMetadata
	// Configure takes the configuration, a JSON object (see [DecodeConfig]); it opens nothing
	// yet. An error refuses it and is shown to the user.
	Configure(ctx context.Context, config json.RawMessage) error
	// Start opens what is needed: files, connections, models. ctx ends with the call.
	Start(ctx context.Context, stage StageContext) error
	// Stop closes everything. Called once, also after a failed Start.
	Stop(ctx context.Context) error
	// Health says how it is; cheap, callable at any time.
	Health(ctx context.Context) HealthStatus
}

// Processor turns messages into messages.
type Processor interface {
	Plugin
	// ProcessBatch answers 0 to N outputs an input row. A Retry and a Fatal are for the whole batch,
	// a Drop leaves it out. After any other error the batch is halved and comes again, until the
	// bad row is alone; a stateful plugin's batch fails in every row. Several calls may run at once,
	// up to [WithWorkers].
	ProcessBatch(ctx context.Context, batch *Batch) (*Outputs, error)
}

// Source reads a stream.
type Source interface {
	Plugin
	// Describe says what the stream is. Called after Start.
	Describe(ctx context.Context) (SourceDescription, error)
	// Read hands the stream to yield from its start (after is nil), or from the first row after
	// *after. A bounded stream returns nil at its end; an unbounded one goes on until ctx ends.
	// yield waits while the pipeline is busy; its error ends the reading and is returned.
	Read(ctx context.Context, after *Resume, yield func(SourceBatch) error) error
	// Acknowledge learns that everything at or before the position is durable. It may be called
	// while Read runs, and after it has returned, until Stop. An error fails the reading.
	Acknowledge(ctx context.Context, completedThrough int64) error
}

// Consumer puts messages somewhere durable.
type Consumer interface {
	Plugin
	// DurablePosition returns the position up to which this consumer already holds everything.
	// Nil: it keeps no position of its own (at least once). -1: it keeps one, and holds nothing.
	// Called after Start, before the first delivery. Rows at or before the position may come
	// again: the consumer leaves them out.
	DurablePosition(ctx context.Context) (*int64, error)
	// Consume takes a delivery and returns the position through which everything is now durable;
	// nil: nothing new is durable yet. Deliveries come one at a time, in order. After an error
	// the same delivery comes again, so nothing may be left half done.
	Consume(ctx context.Context, delivery Delivery) (*int64, error)
	// Flush makes everything taken so far durable and returns the position as Consume does.
	Flush(ctx context.Context) (*int64, error)
	// Forget forgets the durable position, and whatever a replay would double. Called without
	// Start, after Configure. Returns what was done, a line each.
	Forget(ctx context.Context, stage StageContext) ([]string, error)
}

// StateKeeper is a stateful plugin that can be replaced without losing its state.
type StateKeeper interface {
	// ExportState returns the state for the instance that replaces this one; called when no call
	// is in progress, before Stop.
	ExportState(ctx context.Context) ([]byte, error)
	// ImportState takes the state of the instance this one replaces; called after Start, before
	// the first batch.
	ImportState(ctx context.Context, state []byte) error
}

// Base holds defaults for every optional method of the contract, to be embedded; a convenience,
// not a must.
type Base struct{}

// Configure refuses nothing and keeps nothing.
func (Base) Configure(context.Context, json.RawMessage) error { return nil }

// Start opens nothing.
func (Base) Start(context.Context, StageContext) error { return nil }

// Stop closes nothing.
func (Base) Stop(context.Context) error { return nil }

// Health is healthy.
func (Base) Health(context.Context) HealthStatus { return HealthStatus{Status: Healthy} }

// Acknowledge ignores acknowledgements.
func (Base) Acknowledge(context.Context, int64) error { return nil }

// DurablePosition keeps no position.
func (Base) DurablePosition(context.Context) (*int64, error) { return nil, nil }

// Flush holds nothing back.
func (Base) Flush(context.Context) (*int64, error) { return nil, nil }

// Forget keeps nothing to forget.
func (Base) Forget(context.Context, StageContext) ([]string, error) { return nil, nil }
