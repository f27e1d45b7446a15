package cdpplugin

import (
	"encoding/json"
	"slices"
)

// What crosses the two ends of a pipeline: source batches in, deliveries out.
//
// Positions are the host's: whole numbers that never decrease along a stream (a ledger sequence,
// a line number). A completed-through mark says that every row at or before that position has
// come; it advances even when all rows were dropped on the way. Where a position may be absent
// it is a pointer, and nil is "none".

// Position returns a position for a place where it may be absent.
func Position(position int64) *int64 {
	return &position
}

// StageContext is what a plugin is told at its start.
type StageContext struct {
	// Pipeline is the pipeline's name; an exactly-once consumer keys its position by it.
	Pipeline string
	// Stage is the stage's name within the pipeline, unique there.
	Stage string
	// Network is the network's passphrase, or empty where none is configured.
	Network string
	// Schemas are the JSON Schemas of the payload of each message type that may come, as far as
	// the stages before have declared them.
	Schemas map[string]json.RawMessage
}

// Resume is where a source goes on: with the first row after Position.
type Resume struct {
	// Position is such that everything at or before it is durable at every consumer.
	Position int64
	// Token is the last token the source gave at or before that position, or empty. It may lie
	// earlier than Position; the host drops rows that come again.
	Token []byte
}

// SourceBatch is what a source reads at once.
type SourceBatch struct {
	// Batch holds the messages; nil is none.
	Batch *Batch
	// Positions are the position of each, never decreasing, also from batch to batch.
	Positions []int64
	// CompletedThrough says that all rows at or before it have been read; nil means the last
	// position of this batch (no position is split over two batches).
	CompletedThrough *int64
	// Token is anything the source needs to go on after this batch, opaque to the host.
	Token []byte
}

// SourceDescription is what a source knows of its stream once it has started.
type SourceDescription struct {
	// Identity names the stream, not the place it is read from: a checkpoint made on one stream
	// is refused on another.
	Identity string
	// Network is the network's passphrase, or empty.
	Network string
	// Unit is what a position counts, plural, for people: "ledgers", "lines".
	Unit string
	// First is the first position of the range, if it is known.
	First *int64
	// Last is the last position of a bounded range, else nil.
	Last *int64
	// Start is the start as it was configured, in words; a resumed run must have the same.
	Start string
}

// Delivery is what a consumer is handed at once.
type Delivery struct {
	// Batch holds the messages; it may be empty, when only the mark advances.
	Batch *Batch
	// Positions are the position of each, never decreasing.
	Positions []int64
	// CompletedThrough says that every row at or before it has been handed over with this
	// delivery at the latest.
	CompletedThrough int64
}

// After returns the delivery without the rows at or before position. It panics on an Arrow
// batch, whose rows stand in one stream.
func (d Delivery) After(position int64) Delivery {
	first, _ := slices.BinarySearchFunc(d.Positions, position, func(held, sought int64) int {
		if held <= sought {
			return -1
		}
		return 1
	})
	if first == 0 {
		return d
	}
	return Delivery{
		Batch:            d.Batch.Slice(first, d.Batch.Len()),
		Positions:        d.Positions[first:],
		CompletedThrough: d.CompletedThrough,
	}
}
