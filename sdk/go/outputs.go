package cdpplugin

import (
	"bytes"
	"slices"
	"unicode/utf8"
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
	// gathered is a batch whose texts a collector has looked at.
	gathered *Batch
}

// Each answers one output an input row, in the same order.
func Each(batch *Batch) *Outputs {
	return &Outputs{Batch: batch}
}

// check fails where the outputs do not fit a batch of the given number of rows.
func (o *Outputs) check(rows int) error {
	if err := o.checkBatch(); err != nil {
		return err
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

func (o *Outputs) checkBatch() error {
	switch {
	case o.Batch == nil:
		return nil
	case o.Batch == o.gathered:
		return o.Batch.checkShape()
	}
	return o.Batch.check()
}

// OutputCollector gathers messages, drops and errors into the columns of [Outputs].
type OutputCollector struct {
	input        *Batch
	outputs      Outputs
	ids          columnBuilder[string]
	types        columnBuilder[string]
	payloads     Column[[]byte]
	metadata     columnBuilder[[]byte]
	sources      columnBuilder[SourceInfo]
	traceIDs     columnBuilder[string]
	contentTypes columnBuilder[string]
	// unchanged tells which payloads are still those of the input.
	unchanged []bool
}

// NewOutputCollector returns a collector of the answer to batch.
func NewOutputCollector(batch *Batch) *OutputCollector {
	collector := &OutputCollector{input: batch}
	if rows := batch.Len(); rows > 0 {
		collector.payloads = make(Column[[]byte], 0, rows)
		collector.outputs.Rows = make([]int, 0, rows)
		collector.unchanged = make([]bool, 0, rows)
	}
	return collector
}

// Add takes message as an output of input row; rows come in order. It fails with
// [CodePayloadInvalid] where the metadata cannot be written as JSON.
func (c *OutputCollector) Add(row int, message Message) error {
	metadata, err := encodeMetadata(message.Metadata)
	if err != nil {
		return err
	}
	if err := c.checkTexts(row, &message); err != nil {
		return err
	}
	contentType := message.ContentType
	if contentType == ContentTypeJSON {
		contentType = ""
	}
	unchanged := c.input != nil && row < c.input.Rows && same(message.Payload, c.input.Payloads.At(row))
	if message.Payload == nil && contentType == "" {
		message.Payload = []byte("null")
	}
	room := cap(c.payloads)
	c.ids.add(message.ID, c.ids.first == message.ID, room)
	c.types.add(message.Type, c.types.first == message.Type, room)
	c.metadata.add(metadata, bytes.Equal(c.metadata.first, metadata), room)
	c.sources.add(message.Source, c.sources.first == message.Source, room)
	c.traceIDs.add(message.TraceID, c.traceIDs.first == message.TraceID, room)
	c.contentTypes.add(contentType, c.contentTypes.first == contentType, room)
	c.payloads = append(c.payloads, message.Payload)
	c.outputs.Rows = append(c.outputs.Rows, row)
	c.unchanged = append(c.unchanged, unchanged)
	return nil
}

// checkTexts fails where a text of the message is not UTF-8. Those of the input are.
func (c *OutputCollector) checkTexts(row int, message *Message) error {
	if c.input == nil || row >= c.input.Rows {
		return checkTexts(message.ID, message.Type, message.TraceID, message.ContentType)
	}
	for _, text := range [...]struct{ output, input string }{
		{message.ID, c.input.IDs.At(row)}, {message.Type, c.input.Types.At(row)},
		{message.TraceID, c.input.TraceIDs.At(row)}, {message.ContentType, ContentTypeJSON},
	} {
		if !sameText(text.output, text.input) && !utf8.ValidString(text.output) {
			return checkTexts(text.output)
		}
	}
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

func (c *OutputCollector) cut(rows int) {
	c.ids.cut(rows)
	c.types.cut(rows)
	c.metadata.cut(rows)
	c.sources.cut(rows)
	c.traceIDs.cut(rows)
	c.contentTypes.cut(rows)
	c.payloads = c.payloads[:rows]
	c.outputs.Rows = c.outputs.Rows[:rows]
	c.unchanged = c.unchanged[:rows]
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
	batch := &Batch{
		Rows: rows, Payloads: c.payloads, IDs: c.ids.column(), Types: c.types.column(),
		Metadata: c.metadata.column(), Sources: c.sources.column(), TraceIDs: c.traceIDs.column(),
		ContentTypes: c.contentTypes.column(), Encoding: EncodingJSON,
	}
	if rows > 0 && !slices.Contains(c.unchanged, false) {
		batch.Encoding = c.input.Encoding
	} else if c.input != nil && !c.input.text() && slices.Contains(c.unchanged, true) {
		return nil, mixedEncodings(c.input.Encoding, EncodingJSON)
	}
	outputs := c.outputs
	outputs.Batch, outputs.gathered = batch, batch
	if outputs.Rows == nil {
		outputs.Rows = []int{}
	}
	return &outputs, nil
}

// same tells whether two slices are the same memory.
func same(one, other []byte) bool {
	return len(one) == len(other) && len(one) > 0 && unsafe.SliceData(one) == unsafe.SliceData(other)
}

// sameText tells whether two texts are the same memory, or both empty.
func sameText(one, other string) bool {
	return len(one) == len(other) && (len(one) == 0 || unsafe.StringData(one) == unsafe.StringData(other))
}

// columnBuilder makes a column that stays one entry for as long as all entries are equal.
type columnBuilder[T any] struct {
	first   T
	entries Column[T]
	rows    int
}

// add appends an entry; isFirst tells whether it equals the first one, room is how many there may be
// in the end.
func (b *columnBuilder[T]) add(entry T, isFirst bool, room int) {
	switch {
	case b.entries != nil:
		b.entries = append(b.entries, entry)
	case b.rows == 0:
		b.first = entry
	case !isFirst:
		b.entries = make(Column[T], b.rows, max(room, b.rows+1))
		for row := range b.entries {
			b.entries[row] = b.first
		}
		b.entries = append(b.entries, entry)
	}
	b.rows++
}

func (b *columnBuilder[T]) cut(rows int) {
	b.rows = rows
	if b.entries != nil {
		b.entries = b.entries[:rows]
	}
}

func (b *columnBuilder[T]) column() Column[T] {
	if b.entries != nil || b.rows == 0 {
		return b.entries
	}
	return Column[T]{b.first}
}
