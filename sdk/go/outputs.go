package cdpplugin

import (
	"bytes"
	"unsafe"
)

// Outputs is a processor's answer to one batch.
//
// An input row with neither output nor error was dropped on purpose (a filter).
type Outputs struct {
	// Batch holds the outputs; nil is none.
	Batch *Batch
	// Rows names for each output the input row it derives from (a stateful plugin: the last one),
	// never decreasing. Nil means row for row, one output each.
	Rows []int
	// Errors says what went wrong, by input row. Such a row has no outputs.
	Errors map[int]error
	// Dropped says why rows were left out, counted by reason, for those that said so.
	Dropped map[string]int
}

// Each answers one output an input row, in the same order.
func Each(batch *Batch) *Outputs {
	return &Outputs{Batch: batch}
}

// check fails where the outputs do not fit a batch of the given number of rows.
func (o *Outputs) check(rows int) error {
	if o.Batch != nil {
		if err := o.Batch.check(); err != nil {
			return err
		}
	}
	if o.Rows == nil && o.Batch.Len() > 0 && o.Batch.Len() != rows {
		return outputInvalid("expected %d outputs, one for each input row, got %d", rows, o.Batch.Len())
	}
	if o.Rows != nil && len(o.Rows) != o.Batch.Len() {
		return outputInvalid("expected the input row of each of %d outputs, got %d", o.Batch.Len(), len(o.Rows))
	}
	last := 0
	for _, row := range o.Rows {
		if row < last || row >= rows {
			return outputInvalid("expected input rows from %d to %d, never decreasing, got %d", last, rows-1, row)
		}
		last = row
	}
	for row := range o.Errors {
		if row < 0 || row >= rows {
			return outputInvalid("expected an error of a row from 0 to %d, got row %d", rows-1, row)
		}
	}
	return nil
}

// OutputCollector gathers messages, drops and errors into the columns of [Outputs].
type OutputCollector struct {
	input   *Batch
	outputs Outputs
	columns Batch
	// unchanged counts the payloads that are still those of the input.
	unchanged []bool
	kept      int
}

// NewOutputCollector returns a collector of the answer to batch.
func NewOutputCollector(batch *Batch) *OutputCollector {
	collector := &OutputCollector{input: batch}
	if rows := batch.Len(); rows > 0 {
		collector.columns.IDs = make(Column[string], 0, rows)
		collector.columns.Types = make(Column[string], 0, rows)
		collector.columns.Payloads = make(Column[[]byte], 0, rows)
		collector.columns.Metadata = make(Column[[]byte], 0, rows)
		collector.columns.Sources = make(Column[SourceInfo], 0, rows)
		collector.columns.TraceIDs = make(Column[string], 0, rows)
		collector.columns.ContentTypes = make(Column[string], 0, rows)
		collector.outputs.Rows = make([]int, 0, rows)
		collector.unchanged = make([]bool, 0, rows)
	}
	return collector
}

// Add takes message as an output of input row; rows come in order. It fails with
// [CodeMetadataInvalid] where the metadata cannot be written as JSON.
func (c *OutputCollector) Add(row int, message Message) error {
	metadata, err := encodeMetadata(message.Metadata)
	if err != nil {
		return err
	}
	if err := checkTexts([]string{message.ID, message.Type, message.TraceID, message.ContentType}); err != nil {
		return err
	}
	if last := len(c.columns.Metadata); last > 0 && bytes.Equal(c.columns.Metadata[last-1], metadata) {
		metadata = c.columns.Metadata[last-1]
	}
	unchanged := c.input != nil && row < c.input.Rows && same(message.Payload, c.input.Payloads.At(row))
	if unchanged {
		c.kept++
	}
	contentType := message.ContentType
	if contentType == ContentTypeJSON {
		contentType = ""
	}
	if message.Payload == nil && contentType == "" {
		message.Payload = []byte("null")
	}
	c.columns.IDs = append(c.columns.IDs, message.ID)
	c.columns.Types = append(c.columns.Types, message.Type)
	c.columns.Payloads = append(c.columns.Payloads, message.Payload)
	c.columns.Metadata = append(c.columns.Metadata, metadata)
	c.columns.Sources = append(c.columns.Sources, message.Source)
	c.columns.TraceIDs = append(c.columns.TraceIDs, message.TraceID)
	c.columns.ContentTypes = append(c.columns.ContentTypes, contentType)
	c.outputs.Rows = append(c.outputs.Rows, row)
	c.unchanged = append(c.unchanged, unchanged)
	return nil
}

// AddAll takes messages as the outputs of input row, all of them or none.
func (c *OutputCollector) AddAll(row int, messages []Message) error {
	kept := len(c.outputs.Rows)
	for at := range messages {
		if err := c.Add(row, messages[at]); err != nil {
			c.cut(kept)
			return err
		}
	}
	return nil
}

func (c *OutputCollector) cut(kept int) {
	for _, unchanged := range c.unchanged[kept:] {
		if unchanged {
			c.kept--
		}
	}
	c.unchanged = c.unchanged[:kept]
	c.outputs.Rows = c.outputs.Rows[:kept]
	b := &c.columns
	b.IDs, b.Types, b.Payloads, b.Metadata = b.IDs[:kept], b.Types[:kept], b.Payloads[:kept], b.Metadata[:kept]
	b.Sources, b.TraceIDs, b.ContentTypes = b.Sources[:kept], b.TraceIDs[:kept], b.ContentTypes[:kept]
}

// Fail notes that an input row failed.
func (c *OutputCollector) Fail(row int, err error) {
	if c.outputs.Errors == nil {
		c.outputs.Errors = map[int]error{}
	}
	c.outputs.Errors[row] = err
}

// Drop notes that a row was left out, and why.
func (c *OutputCollector) Drop(reason string) {
	if c.outputs.Dropped == nil {
		c.outputs.Dropped = map[string]int{}
	}
	c.outputs.Dropped[reason]++
}

// Outputs returns everything gathered. It fails with [CodeEncodingUnsupported] where payloads
// that are not JSON were left as they came beside others that were replaced: one batch has one
// form of payload.
func (c *OutputCollector) Outputs() (*Outputs, error) {
	rows := len(c.outputs.Rows)
	b := &c.columns
	batch := &Batch{
		Rows: rows, Payloads: b.Payloads,
		IDs: compact(b.IDs), Types: compact(b.Types), Metadata: compactBytes(b.Metadata),
		Sources: compact(b.Sources), TraceIDs: compact(b.TraceIDs),
		ContentTypes: compact(b.ContentTypes), Encoding: EncodingJSON,
	}
	if rows > 0 && c.kept == rows {
		batch.Encoding = c.input.Encoding
	} else if c.kept > 0 && !c.input.text() {
		return nil, PluginError{
			Message: "unchanged " + string(c.input.Encoding) + " payloads cannot stand beside JSON payloads in one answer",
			Code:    CodeEncodingUnsupported,
			Hint:    "give every output a JSON payload, or leave all payloads as they came",
		}
	}
	outputs := c.outputs
	outputs.Batch = batch
	if outputs.Rows == nil {
		outputs.Rows = []int{}
	}
	return &outputs, nil
}

// same tells whether two slices are the same memory.
func same(one, other []byte) bool {
	return len(one) == len(other) && len(one) > 0 && unsafe.SliceData(one) == unsafe.SliceData(other)
}

// compact returns a column of equal entries as one entry, and one of defaults as none.
func compact[T comparable](column Column[T]) Column[T] {
	for _, entry := range column {
		if entry != column[0] {
			return column
		}
	}
	var none T
	if len(column) == 0 || column[0] == none {
		return nil
	}
	return column[:1]
}

func compactBytes(column Column[[]byte]) Column[[]byte] {
	for _, entry := range column {
		if !bytes.Equal(entry, column[0]) {
			return column
		}
	}
	if len(column) == 0 || len(column[0]) == 0 {
		return nil
	}
	return column[:1]
}
