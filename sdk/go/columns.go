package cdpplugin

import (
	"errors"
	"unicode/utf8"
)

// readBatch returns the MessageBatch that data holds. Payloads, metadata and Arrow share its memory.
func readBatch(data []byte) (*Batch, error) {
	reader := batchReader{fieldReader: fieldReader{data: data}, batch: &Batch{Encoding: EncodingJSON}}
	for reader.next() {
		if err := reader.take(); err != nil {
			return nil, unreadable(err)
		}
	}
	if err := reader.err(); err != nil {
		return nil, unreadable(err)
	}
	return reader.batch, reader.batch.checkShape()
}

func unreadable(err error) error {
	return PluginError{Message: "the batch cannot be read", Code: CodeBatchInvalid, Err: err}
}

var errText = errors.New("a text column holds invalid UTF-8")

// batchReader fills a batch with the columns of a message.
type batchReader struct {
	fieldReader
	batch *Batch
}

// take takes the field at hand; one that is unknown is left out.
func (r *batchReader) take() (err error) {
	if r.kind != kindBytes {
		if r.field == 1 && r.kind == kindVarint {
			r.batch.Rows = int(uint32(r.number))
		}
		return nil
	}
	room := min(r.batch.Rows, len(r.data)/2)
	switch batch := r.batch; r.field {
	case 2:
		batch.IDs, err = r.text(batch.IDs, room)
	case 3:
		batch.Types, err = r.text(batch.Types, room)
	case 4:
		batch.Payloads = appendEntry(batch.Payloads, r.value, room)
	case 5:
		batch.Metadata = appendEntry(batch.Metadata, r.value, room)
	case 6:
		var source SourceInfo
		source, err = readSource(r.value)
		batch.Sources = appendEntry(batch.Sources, source, room)
	case 7:
		batch.TraceIDs, err = r.text(batch.TraceIDs, room)
	case 8:
		batch.ContentTypes, err = r.text(batch.ContentTypes, room)
	case 9:
		batch.Encoding = Encoding(or(string(r.value), string(EncodingJSON)))
	case 10:
		batch.Arrow = r.value
	}
	return err
}

// text appends the text at hand to a column, in memory of its own: texts may be kept, and the memory
// of the message is used again. Equal neighbours are one string.
func (r *batchReader) text(column Column[string], room int) (Column[string], error) {
	if last := len(column) - 1; last >= 0 && column[last] == string(r.value) {
		return appendEntry(column, column[last], room), nil
	}
	if !utf8.Valid(r.value) {
		return column, errText
	}
	return appendEntry(column, string(r.value), room), nil
}

// appendEntry appends one entry. A second one shows that the column is not constant: it then gets
// room for all rows at once.
func appendEntry[T any](column []T, entry T, room int) []T {
	if len(column) == 1 && cap(column) < room {
		column = append(make([]T, 0, room), column[0])
	}
	return append(column, entry)
}

// readSource returns the SourceInfo that data holds.
func readSource(data []byte) (source SourceInfo, err error) {
	reader := fieldReader{data: data}
	for reader.next() {
		if reader.kind != kindBytes || reader.field > 3 {
			continue
		}
		if !utf8.Valid(reader.value) {
			return source, errText
		}
		switch reader.field {
		case 1:
			source.Name = string(reader.value)
		case 2:
			source.Network = string(reader.value)
		case 3:
			source.URI = string(reader.value)
		}
	}
	return source, reader.err()
}
