package cdpplugin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Column is one column of a batch. A column of one entry in a batch of several rows is constant;
// an empty column holds the default in every row.
type Column[T any] []T

// At returns the entry of a row.
func (c Column[T]) At(row int) T {
	switch len(c) {
	case 0:
		var none T
		return none
	case 1:
		return c[0]
	}
	return c[row]
}

func (c Column[T]) take(rows []int) Column[T] {
	if len(c) <= 1 {
		return c
	}
	taken := make(Column[T], len(rows))
	for at, row := range rows {
		taken[at] = c[row]
	}
	return taken
}

func (c Column[T]) slice(start, stop int) Column[T] {
	if len(c) <= 1 {
		return c
	}
	return c[start:stop]
}

// Batch is a number of messages as columns. Its columns are read-only: they share memory with
// what came over the wire, and a Message taken from it shares its payload.
type Batch struct {
	// Rows is the number of messages.
	Rows int
	// IDs are message ids; an empty id is given one by the host (see Message.ID).
	IDs Column[string]
	// Types are message types.
	Types Column[string]
	// Payloads are JSON texts, unless Encoding says otherwise; an empty one stands for null.
	Payloads Column[[]byte]
	// Metadata are JSON objects; an empty one stands for {}.
	Metadata Column[[]byte]
	// Sources are where the messages came from.
	Sources Column[SourceInfo]
	// TraceIDs are trace ids, or empty.
	TraceIDs Column[string]
	// ContentTypes are media types of the payloads; empty stands for ContentTypeJSON.
	ContentTypes Column[string]
	// Encoding is the form of the payloads; empty means EncodingJSON.
	Encoding Encoding
	// Arrow is one Arrow IPC stream, in place of Payloads, where Encoding is EncodingArrow.
	Arrow []byte
}

// BatchOf returns messages as a batch, one row each.
func BatchOf(messages ...Message) (*Batch, error) {
	collector := NewOutputCollector(nil)
	for row := range messages {
		if err := collector.Add(row, messages[row]); err != nil {
			return nil, err
		}
	}
	outputs, err := collector.Outputs()
	if err != nil {
		return nil, err
	}
	return outputs.Batch, nil
}

// Len returns the number of messages.
func (b *Batch) Len() int {
	if b == nil {
		return 0
	}
	return b.Rows
}

// Message returns row as a message of its own.
//
// It fails with [CodePayloadInvalid] where the metadata are not a JSON object, and with
// [CodeEncodingUnsupported] for an Arrow batch, whose rows are in Arrow.
func (b *Batch) Message(row int) (Message, error) {
	if b.Encoding == EncodingArrow {
		return Message{}, PluginError{
			Message: "the rows of an arrow batch cannot be read one by one",
			Code:    CodeEncodingUnsupported,
			Hint:    "read Batch.Arrow in a batch function, or ask for json",
		}
	}
	metadata, err := decodeMetadata(b.Metadata.At(row))
	if err != nil {
		return Message{}, err
	}
	return b.message(row, metadata), nil
}

func (b *Batch) message(row int, metadata map[string]interface{}) Message {
	return Message{
		ID:          b.IDs.At(row),
		Type:        b.Types.At(row),
		Payload:     b.payload(row),
		Metadata:    metadata,
		Source:      b.Sources.At(row),
		TraceID:     b.TraceIDs.At(row),
		ContentType: or(b.ContentTypes.At(row), ContentTypeJSON),
	}
}

// payload returns the payload of a row, for its message to keep and change.
func (b *Batch) payload(row int) json.RawMessage {
	held := b.Payloads.At(row)
	if len(held) == 0 && b.text() {
		return json.RawMessage("null")
	}
	if len(b.Payloads) == 1 && b.Rows > 1 {
		return bytes.Clone(held)
	}
	return held
}

// text tells whether payloads are JSON text.
func (b *Batch) text() bool {
	return b.Encoding == "" || b.Encoding == EncodingJSON || b.Encoding == EncodingSEP51
}

// Take returns the given rows, in the given order. It panics on an Arrow batch, whose rows stand
// in one stream.
func (b *Batch) Take(rows []int) *Batch {
	b.cuttable()
	return &Batch{
		Rows: len(rows), IDs: b.IDs.take(rows), Types: b.Types.take(rows),
		Payloads: b.Payloads.take(rows), Metadata: b.Metadata.take(rows),
		Sources: b.Sources.take(rows), TraceIDs: b.TraceIDs.take(rows),
		ContentTypes: b.ContentTypes.take(rows), Encoding: b.Encoding,
	}
}

// Slice returns rows start to stop (exclusive), sharing their memory. It panics on an Arrow batch,
// whose rows stand in one stream.
func (b *Batch) Slice(start, stop int) *Batch {
	b.cuttable()
	return &Batch{
		Rows: stop - start, IDs: b.IDs.slice(start, stop), Types: b.Types.slice(start, stop),
		Payloads: b.Payloads.slice(start, stop), Metadata: b.Metadata.slice(start, stop),
		Sources: b.Sources.slice(start, stop), TraceIDs: b.TraceIDs.slice(start, stop),
		ContentTypes: b.ContentTypes.slice(start, stop), Encoding: b.Encoding,
	}
}

func (b *Batch) cuttable() {
	if b.Encoding == EncodingArrow {
		panic("cdpplugin: the rows of an arrow batch can only be cut in arrow")
	}
}

// check fails where a column does not fit the number of rows, a text is not UTF-8, or the encoding
// is unknown.
func (b *Batch) check() error {
	if err := b.checkShape(); err != nil {
		return err
	}
	for _, texts := range []Column[string]{b.IDs, b.Types, b.TraceIDs, b.ContentTypes} {
		if err := checkTexts(texts...); err != nil {
			return err
		}
	}
	return nil
}

// checkShape is check without a look at the texts.
func (b *Batch) checkShape() error {
	columns := []struct {
		name    string
		entries int
	}{
		{"ids", len(b.IDs)}, {"types", len(b.Types)}, {"payloads", len(b.Payloads)},
		{"metadata", len(b.Metadata)}, {"sources", len(b.Sources)},
		{"trace_ids", len(b.TraceIDs)}, {"content_types", len(b.ContentTypes)},
	}
	for _, column := range columns {
		if column.entries != 0 && column.entries != b.Rows && (column.entries != 1 || b.Rows == 0) {
			return PluginError{
				Message: fmt.Sprintf("column `%s` has %d entries in a batch of %d rows, expected none, one or one a row",
					column.name, column.entries, b.Rows),
				Code: CodeBatchInvalid,
			}
		}
	}
	switch b.Encoding {
	case "", EncodingJSON, EncodingSEP51, EncodingXDR, EncodingArrow:
		return nil
	}
	return PluginError{
		Message: fmt.Sprintf("expected payloads in json, sep51, xdr or arrow, got `%s`", b.Encoding),
		Code:    CodeEncodingUnsupported,
	}
}

// checkTexts fails where a text is not UTF-8, which has no place in a message.
func checkTexts(texts ...string) error {
	for _, text := range texts {
		if !utf8.ValidString(text) {
			return PluginError{Message: fmt.Sprintf("expected text in UTF-8, got %q", text), Code: CodeBatchInvalid}
		}
	}
	return nil
}
